#include "dm_call.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>

namespace stratis {

namespace {

constexpr size_t kFirstResultSize = 16 * 1024;
constexpr size_t kLargestResultSize = 64 * 1024 * 1024;
constexpr long kBusyPauseNanoseconds = 200'000'000;

struct Command {
  unsigned long code;
  const char* name;
  // The interface minor version that introduced the command: asking for more than the kernel has is refused.
  uint32_t minor;
  bool returns_data;
};

#define STRATIS_DM_COMMAND(command, minor, returns_data) \
  { command, #command, minor, returns_data }

Command CommandOf(DmOp op) {
  switch (op) {
    case DmOp::kVersion: return STRATIS_DM_COMMAND(DM_VERSION, 0, false);
    case DmOp::kList: return STRATIS_DM_COMMAND(DM_LIST_DEVICES, 0, true);
    case DmOp::kArm: return STRATIS_DM_COMMAND(DM_DEV_ARM_POLL, 37, false);
    case DmOp::kCreate: return STRATIS_DM_COMMAND(DM_DEV_CREATE, 0, false);
    case DmOp::kRemove: return STRATIS_DM_COMMAND(DM_DEV_REMOVE, 0, false);
    case DmOp::kRename:
    case DmOp::kSetUuid: return STRATIS_DM_COMMAND(DM_DEV_RENAME, 0, false);
    case DmOp::kSuspend:
    case DmOp::kResume: return STRATIS_DM_COMMAND(DM_DEV_SUSPEND, 0, false);
    case DmOp::kLoad: return STRATIS_DM_COMMAND(DM_TABLE_LOAD, 0, false);
    case DmOp::kClear: return STRATIS_DM_COMMAND(DM_TABLE_CLEAR, 0, false);
    case DmOp::kInfo: return STRATIS_DM_COMMAND(DM_DEV_STATUS, 0, false);
    case DmOp::kTable:
    case DmOp::kStatus: return STRATIS_DM_COMMAND(DM_TABLE_STATUS, 0, true);
    case DmOp::kDeps: return STRATIS_DM_COMMAND(DM_TABLE_DEPS, 0, true);
    case DmOp::kMessage: return STRATIS_DM_COMMAND(DM_TARGET_MSG, 2, true);
  }
  throw NativeError(EINVAL, "dmCall", "operation", "it is unknown");
}

#undef STRATIS_DM_COMMAND

uint32_t FlagsOf(const DmRequest& request) {
  uint32_t flags = request.secure_data ? DM_SECURE_DATA_FLAG : 0;
  switch (request.op) {
    // Makes the kernel list uuids; a kernel that can't ignores it.
    case DmOp::kList:
    case DmOp::kSetUuid: flags |= DM_UUID_FLAG; break;
    case DmOp::kSuspend: flags |= DM_SUSPEND_FLAG; break;
    case DmOp::kTable: flags |= DM_STATUS_TABLE_FLAG; break;
    default: break;
  }
  if (request.read_only) flags |= DM_READONLY_FLAG;
  if (request.deferred) flags |= DM_DEFERRED_REMOVE;
  if (request.no_flush) flags |= DM_NOFLUSH_FLAG;
  if (request.skip_lock_fs) flags |= DM_SKIP_LOCKFS_FLAG;
  if (request.inactive) flags |= DM_QUERY_INACTIVE_TABLE_FLAG;
  return flags;
}

bool TakesCookie(DmOp op) {
  return op == DmOp::kRemove || op == DmOp::kRename || op == DmOp::kSetUuid || op == DmOp::kResume;
}

bool IsAboutDevice(DmOp op) {
  return op != DmOp::kVersion && op != DmOp::kList && op != DmOp::kArm;
}

void Append(std::vector<uint8_t>& bytes, const void* data, size_t size) {
  const auto* first = static_cast<const uint8_t*>(data);
  bytes.insert(bytes.end(), first, first + size);
}

// With the final NUL, padded so that the next structure is aligned.
void AppendText(std::vector<uint8_t>& bytes, const std::string& text) {
  Append(bytes, text.c_str(), text.size() + 1);
  bytes.resize((bytes.size() + 7) / 8 * 8, 0);
}

void AppendTarget(std::vector<uint8_t>& bytes, const DmTarget& target) {
  const size_t offset = bytes.size();
  dm_target_spec spec = {};
  spec.sector_start = target.start;
  spec.length = target.length;
  std::memcpy(spec.target_type, target.type.data(), std::min(target.type.size(), sizeof spec.target_type - 1));
  Append(bytes, &spec, sizeof spec);
  AppendText(bytes, target.params);
  // Here the distance counts from this spec, in results from the first one.
  spec.next = static_cast<uint32_t>(bytes.size() - offset);
  std::memcpy(bytes.data() + offset, &spec, sizeof spec);
}

void AppendPayload(std::vector<uint8_t>& bytes, const DmRequest& request) {
  switch (request.op) {
    case DmOp::kRename: AppendText(bytes, request.new_name); break;
    case DmOp::kSetUuid: AppendText(bytes, request.uuid); break;
    case DmOp::kLoad:
      for (const DmTarget& target : request.targets) AppendTarget(bytes, target);
      break;
    case DmOp::kMessage:
      Append(bytes, &request.sector, sizeof request.sector);
      AppendText(bytes, request.message);
      break;
    default: break;
  }
}

size_t LargestInputSize(const DmRequest& request) {
  constexpr size_t kNulAndPadding = 8;
  size_t size = sizeof(dm_ioctl) + sizeof request.sector;
  size += request.new_name.size() + request.uuid.size() + request.message.size() + kNulAndPadding;
  for (const DmTarget& target : request.targets)
    size += sizeof(dm_target_spec) + target.params.size() + kNulAndPadding;
  return size;
}

std::vector<uint8_t> BuildInput(const DmRequest& request) {
  dm_ioctl header = {};
  header.version[0] = 4;
  header.version[1] = CommandOf(request.op).minor;
  header.data_start = sizeof header;
  header.target_count = static_cast<uint32_t>(request.targets.size());
  header.flags = FlagsOf(request);
  std::memcpy(header.name, request.name.data(), std::min(request.name.size(), sizeof header.name - 1));
  // Devices are addressed by name only; the kernel refuses name and uuid together, but for create.
  if (request.op == DmOp::kCreate)
    std::memcpy(header.uuid, request.uuid.data(), std::min(request.uuid.size(), sizeof header.uuid - 1));
  std::vector<uint8_t> bytes;
  // At once, because growing would leave copies of a secret table in freed memory.
  bytes.reserve(LargestInputSize(request));
  Append(bytes, &header, sizeof header);
  AppendPayload(bytes, request);
  return bytes;
}

std::string FieldText(const char* field, size_t size) { return std::string(field, strnlen(field, size)); }

DmDeviceInfo DeviceOf(const dm_ioctl& header, const DmRequest& request) {
  DmDeviceInfo device;
  // The reply to a change of name or uuid still carries the old one.
  device.name = request.op == DmOp::kRename ? request.new_name : FieldText(header.name, sizeof header.name);
  device.uuid = request.op == DmOp::kSetUuid ? request.uuid : FieldText(header.uuid, sizeof header.uuid);
  device.number = DecodeDeviceNumber(header.dev);
  device.open_count = header.open_count;
  device.target_count = header.target_count;
  device.event_nr = header.event_nr;
  device.flags = header.flags;
  return device;
}

}  // namespace

const char* DmCommandName(DmOp op) { return CommandOf(op).name; }

DmCall::DmCall(const DmRequest& request) : request_(request), input_(BuildInput(request)) {
  const size_t smallest = CommandOf(request.op).returns_data ? kFirstResultSize : 0;
  buffer_.resize(std::max(input_.size(), smallest));
}

DmCall::~DmCall() {
  if (!request_.secure_data) return;
  explicit_bzero(input_.data(), input_.size());
  explicit_bzero(buffer_.data(), buffer_.size());
}

dm_ioctl DmCall::Header() const {
  dm_ioctl header;
  std::memcpy(&header, buffer_.data(), sizeof header);
  return header;
}

SysResult DmCall::IssueOnce(int control) {
  for (;;) {
    std::memcpy(buffer_.data(), input_.data(), input_.size());
    std::memset(buffer_.data() + input_.size(), 0, buffer_.size() - input_.size());
    dm_ioctl header = Header();
    header.data_size = static_cast<uint32_t>(buffer_.size());
    header.event_nr = cookie_.event_nr();
    std::memcpy(buffer_.data(), &header, sizeof header);
    const Command command = CommandOf(request_.op);
    if (ioctl(control, command.code, buffer_.data()) != 0) {
      // A signal may end the wait for outstanding I/O; the kernel has then taken the suspend back.
      if (errno == EINTR) continue;
      return {errno, command.name, request_.op == DmOp::kResume ? "resuming the device" : ""};
    }
    if ((Header().flags & DM_BUFFER_FULL_FLAG) == 0) return {};
    if (buffer_.size() >= kLargestResultSize) return {EMSGSIZE, command.name, "the result exceeds 64 MiB"};
    if (!GrowBuffer()) return {ENOMEM, command.name, "growing the buffer for the result"};
  }
}

bool DmCall::GrowBuffer() {
  try {
    // Not resize, which would leave a copy of secret bytes in freed memory.
    std::vector<uint8_t> larger(std::min(buffer_.size() * 2, kLargestResultSize));
    if (request_.secure_data) explicit_bzero(buffer_.data(), buffer_.size());
    buffer_.swap(larger);
    return true;
  } catch (const std::bad_alloc&) {
    // Not thrown on: a sequence still has to undo what it did.
    return false;
  }
}

SysResult DmCall::Issue(int control) {
  for (uint32_t attempt = 1;; attempt++) {
    const SysResult result = IssueOnce(control);
    if (result.number != EBUSY || attempt >= request_.attempts) return result;
    // udev may be probing the device, which keeps it open for a moment.
    struct timespec pause = {0, kBusyPauseNanoseconds};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
  }
}

SysResult DmCall::Run(int control, bool udev) {
  if (udev && TakesCookie(request_.op)) {
    const SysResult begun = cookie_.Begin(request_.udev_flags);
    if (!begun.ok()) return begun;
  }
  const auto begun = std::chrono::steady_clock::now();
  SysResult result = Issue(control);
  const auto took = std::chrono::steady_clock::now() - begun;
  microseconds_ = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
  took_effect_ = result.ok();
  if (!cookie_.active()) return result;
  if (!result.ok()) {
    // The ioctl's failure is the one to report: a semaphore that is left over blocks nobody.
    cookie_.Cancel();
    return result;
  }
  if ((Header().flags & DM_UEVENT_GENERATED_FLAG) == 0) result = cookie_.NotifyInPlaceOfUdev();
  if (!result.ok()) cookie_.Cancel();
  return result;
}

DmReply DmCall::Reply() const {
  const dm_ioctl header = Header();
  DmReply reply;
  reply.microseconds = microseconds_;
  std::copy(header.version, header.version + 3, reply.version.begin());
  if (IsAboutDevice(request_.op)) reply.device = DeviceOf(header, request_);
  if (!CommandOf(request_.op).returns_data) return reply;

  const uint8_t* data = nullptr;
  size_t size = 0;
  // Without a result the kernel returns a data_size that is smaller than its header.
  if (header.data_size > header.data_start) {
    if (header.data_start < sizeof header || header.data_size > buffer_.size())
      throw Failure({EINVAL, CommandOf(request_.op).name, "the kernel's result lies outside of the buffer"});
    data = buffer_.data() + header.data_start;
    size = header.data_size - header.data_start;
  }
  switch (request_.op) {
    case DmOp::kList: reply.devices = ParseNameList(data, size, header.version[1]); break;
    case DmOp::kTable:
    case DmOp::kStatus: reply.targets = ParseTargets(data, size, header.target_count); break;
    case DmOp::kDeps: reply.dependencies = ParseDeps(data, size); break;
    case DmOp::kMessage:
      if ((header.flags & DM_DATA_OUT_FLAG) != 0)
        reply.text = size == 0 ? "" : FieldText(reinterpret_cast<const char*>(data), size);
      break;
    default: break;
  }
  return reply;
}

NativeError DmCall::Failure(const SysResult& result) const {
  const std::string target = request_.name.empty() ? "/dev/mapper/control" : request_.name;
  return NativeError(result.number, result.call, target, result.detail);
}

}  // namespace stratis
