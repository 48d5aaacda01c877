// A stand-in for the kernel's device-mapper and for udev, for tests on machines that have neither. Preloaded into a
// node process, it answers the ioctls of /dev/mapper/control from memory and completes udev cookies.
//
// FAKE_LOG             file that gets a line for each ioctl, each message to a target and each cookie
// FAKE_UDEV            "answers": cookies are completed after 20 ms; "stuck": never; unset: udev does not run
// FAKE_BUSY            number of DM_DEV_REMOVE calls that fail with EBUSY
// FAKE_FAIL_RESUME     name of the device whose resume fails with EIO
// FAKE_SPOIL_RESUME    end of the name of the device whose first change of tables fails as a target that can't start
//                      does: EIO, with the new table live and the device suspended
// Waits for semaphores are cut to 300 ms, so that time limits can be tested.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/ioctl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Target {
  uint64_t start, length;
  std::string type, params;
};

struct Device {
  std::string uuid;
  uint32_t minor;
  uint32_t event_nr = 0;
  bool suspended = true;
  bool has_active = false, has_inactive = false;
  std::vector<Target> active, inactive;
};

std::mutex lock;
std::map<std::string, Device> devices;
uint32_t next_minor = 300;
int control = -1;
int busy = -1;

std::string Setting(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

// Nothing ends with an empty text.
bool EndsWith(const std::string& text, const std::string& end) {
  return !end.empty() && text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

void Log(const std::string& line) {
  FILE* file = fopen(Setting("FAKE_LOG").c_str(), "a");
  if (file == nullptr) abort();
  fprintf(file, "%s\n", line.c_str());
  fclose(file);
}

uint64_t Encode(uint32_t minor) { return (minor & 0xff) | (253U << 8) | (uint64_t{minor & ~0xffU} << 12); }

void Uevent(dm_ioctl* header) {
  const uint64_t one = 1;
  if (write(control, &one, sizeof one) != sizeof one) abort();
  header->flags |= DM_UEVENT_GENERATED_FLAG;
  const uint32_t cookie = header->event_nr;
  if (cookie == 0) return;
  char text[64];
  snprintf(text, sizeof text, "cookie flags=%04x", cookie >> 16);
  Log(text);
  if (Setting("FAKE_UDEV") != "answers") return;
  std::thread([cookie] {
    usleep(20000);
    const int semaphore = semget(static_cast<key_t>((0x0D4DU << 16) | (cookie & 0xffff)), 1, 0);
    struct sembuf done = {0, -1, IPC_NOWAIT};
    // Logged before the caller can go on, because its next ioctl would otherwise get into the log first.
    Log(semaphore >= 0 ? "udev completed" : "udev found no cookie");
    if (semaphore >= 0 && semop(semaphore, &done, 1) != 0) Log("udev could not complete the cookie");
  }).detach();
}

std::vector<Target> ReadTable(const dm_ioctl* header) {
  std::vector<Target> table;
  const char* at = reinterpret_cast<const char*>(header) + header->data_start;
  for (uint32_t i = 0; i < header->target_count; i++) {
    dm_target_spec spec;
    memcpy(&spec, at, sizeof spec);
    table.push_back({spec.sector_start, spec.length, spec.target_type, at + sizeof spec});
    at += spec.next;
  }
  return table;
}

std::string Pad(std::string bytes) {
  bytes.resize((bytes.size() + 7) / 8 * 8, '\0');
  return bytes;
}

std::string TableBytes(const std::vector<Target>& table, bool status) {
  std::string bytes;
  for (const Target& target : table) {
    dm_target_spec spec = {};
    spec.sector_start = target.start;
    spec.length = target.length;
    strncpy(spec.target_type, target.type.c_str(), sizeof spec.target_type - 1);
    const std::string text = Pad((status ? "status of " + target.params : target.params) + '\0');
    spec.next = static_cast<uint32_t>(bytes.size() + sizeof spec + text.size());
    bytes += std::string(reinterpret_cast<const char*>(&spec), sizeof spec) + text;
  }
  return bytes;
}

std::string ListBytes() {
  std::string bytes;
  size_t left = devices.size();
  for (const auto& [name, device] : devices) {
    std::string record(offsetof(dm_name_list, name), '\0');
    const uint64_t number = Encode(device.minor);
    memcpy(&record[0], &number, sizeof number);
    record = Pad(record + name + '\0');
    const uint32_t extra[2] = {device.event_nr, device.uuid.empty() ? 2U : 1U};
    record += std::string(reinterpret_cast<const char*>(extra), sizeof extra);
    if (!device.uuid.empty()) record = Pad(record + device.uuid + '\0');
    const uint32_t next = --left == 0 ? 0 : static_cast<uint32_t>(record.size());
    memcpy(&record[offsetof(dm_name_list, next)], &next, sizeof next);
    bytes += record;
  }
  return bytes;
}

std::string DepsBytes() {
  const uint64_t words[] = {2, Encode(1), Encode(65536)};
  return std::string(reinterpret_cast<const char*>(words), sizeof words);
}

int Answer(dm_ioctl* header, uint32_t capacity, const std::string& data) {
  header->data_start = sizeof(dm_ioctl);
  if (sizeof(dm_ioctl) + data.size() > capacity) {
    header->flags |= DM_BUFFER_FULL_FLAG;
    return 0;
  }
  memcpy(reinterpret_cast<char*>(header) + sizeof(dm_ioctl), data.data(), data.size());
  header->data_size = static_cast<uint32_t>(sizeof(dm_ioctl) + data.size());
  return 0;
}

void Describe(dm_ioctl* header, const Device& device) {
  header->dev = Encode(device.minor);
  header->event_nr = device.event_nr;
  header->target_count = device.has_active ? device.active.size() : 0;
  strcpy(header->uuid, device.uuid.c_str());
  if (device.suspended) header->flags |= DM_SUSPEND_FLAG;
  if (device.has_active) header->flags |= DM_ACTIVE_PRESENT_FLAG;
  if (device.has_inactive) header->flags |= DM_INACTIVE_PRESENT_FLAG;
}

int Create(dm_ioctl* header) {
  if (devices.count(header->name) != 0) return EBUSY;
  Device device;
  device.uuid = header->uuid;
  device.minor = next_minor++;
  Describe(header, devices[header->name] = device);
  return 0;
}

int SuspendOrResume(dm_ioctl* header, Device& device) {
  const bool suspend = (header->flags & DM_SUSPEND_FLAG) != 0;
  if (!suspend && Setting("FAKE_FAIL_RESUME") == header->name) return EIO;
  static bool spoilt = false;
  if (!suspend && !spoilt && device.has_active && device.has_inactive &&
      EndsWith(header->name, Setting("FAKE_SPOIL_RESUME"))) {
    spoilt = true;
    device.active = device.inactive;
    device.has_inactive = false;
    device.suspended = true;
    return EIO;
  }
  header->flags = 0;
  if (!suspend && (device.suspended || device.has_inactive)) {
    if (device.has_inactive) device.active = device.inactive;
    device.has_active |= device.has_inactive;
    device.has_inactive = false;
    Uevent(header);
  }
  device.suspended = suspend;
  Describe(header, device);
  return 0;
}

int Remove(dm_ioctl* header) {
  if (busy < 0) busy = atoi(Setting("FAKE_BUSY").c_str());
  if (busy > 0) {
    busy--;
    return EBUSY;
  }
  devices.erase(header->name);
  Uevent(header);
  return 0;
}

int Rename(dm_ioctl* header, Device& device) {
  const char* text = reinterpret_cast<const char*>(header) + header->data_start;
  if ((header->flags & DM_UUID_FLAG) != 0) {
    if (!device.uuid.empty()) return EINVAL;
    device.uuid = text;
  } else {
    if (devices.count(text) != 0) return EBUSY;
    Device moved = device;
    devices.erase(header->name);
    devices[text] = moved;
  }
  Uevent(header);
  return 0;
}

int Message(dm_ioctl* header, uint32_t capacity) {
  const std::string text = reinterpret_cast<const char*>(header) + header->data_start + sizeof(uint64_t);
  Log("message " + text);
  if (text == "fail") return ENODATA;
  header->data_size = 305;
  if (text.rfind("echo ", 0) != 0) return 0;
  header->flags |= DM_DATA_OUT_FLAG;
  return Answer(header, capacity, text.substr(5) + '\0');
}

int OnDevice(unsigned long command, dm_ioctl* header, uint32_t capacity) {
  const auto found = devices.find(header->name);
  if (found == devices.end()) return ENXIO;
  Device& device = found->second;
  const bool inactive = (header->flags & DM_QUERY_INACTIVE_TABLE_FLAG) != 0;
  const bool table = (header->flags & DM_STATUS_TABLE_FLAG) != 0;
  switch (command) {
    case DM_DEV_REMOVE: return Remove(header);
    case DM_DEV_RENAME: return Rename(header, device);
    case DM_DEV_SUSPEND: return SuspendOrResume(header, device);
    case DM_TABLE_LOAD:
      device.inactive = ReadTable(header);
      device.has_inactive = true;
      break;
    case DM_TABLE_CLEAR: device.has_inactive = false; break;
    case DM_TARGET_MSG: return Message(header, capacity);
    case DM_TABLE_STATUS: {
      const std::vector<Target>& targets = inactive ? device.inactive : device.active;
      Describe(header, device);
      header->target_count = targets.size();
      return Answer(header, capacity, TableBytes(targets, !table));
    }
    case DM_TABLE_DEPS: Describe(header, device); return Answer(header, capacity, DepsBytes());
    case DM_DEV_STATUS: break;
    default: return ENOTTY;
  }
  header->flags = 0;
  Describe(header, device);
  return 0;
}

int Ioctl(unsigned long command, dm_ioctl* header) {
  const std::lock_guard<std::mutex> guard(lock);
  if (header->version[0] != 4 || header->version[1] > 45) return EINVAL;
  const uint32_t capacity = header->data_size;
  const uint32_t version[] = {4, 45, 0};
  memcpy(header->version, version, sizeof version);
  const bool has_name = header->name[0] != '\0';
  if (has_name) Log(std::to_string(command & 0xff) + " " + header->name);
  // Like the kernel, which tells of no result by less than a whole header.
  if (command != DM_TABLE_LOAD && command != DM_DEV_RENAME && command != DM_TARGET_MSG) header->data_size = 305;
  header->flags &= ~DM_SECURE_DATA_FLAG;
  switch (command) {
    case DM_VERSION: return 0;
    case DM_DEV_ARM_POLL: {
      uint64_t count;
      return read(control, &count, sizeof count) < 0 && errno != EAGAIN ? errno : 0;
    }
    case DM_LIST_DEVICES:
      if ((header->flags & DM_UUID_FLAG) == 0) return EINVAL;
      return Answer(header, capacity, ListBytes());
    case DM_DEV_CREATE: return Create(header);
    default: return OnDevice(command, header, capacity);
  }
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  if (strcmp(path, "/dev/mapper/control") == 0) return control = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int access(const char* path, int mode) {
  if (strcmp(path, "/run/udev/control") == 0) {
    if (!Setting("FAKE_UDEV").empty()) return 0;
    errno = ENOENT;
    return -1;
  }
  return static_cast<int>(syscall(SYS_faccessat, AT_FDCWD, path, mode));
}

int ioctl(int fd, unsigned long command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (fd == control && control >= 0 && ((command >> 8) & 0xff) == DM_IOCTL) {
    const int number = Ioctl(command, static_cast<dm_ioctl*>(argument));
    if (number == 0) return 0;
    errno = number;
    return -1;
  }
  return static_cast<int>(syscall(SYS_ioctl, fd, command, argument));
}

int semtimedop(int semaphore, struct sembuf* operations, size_t count, const struct timespec* limit) {
  const struct timespec short_limit = {0, 300000000};
  if (limit->tv_sec > 0) limit = &short_limit;
  return static_cast<int>(syscall(SYS_semtimedop, semaphore, operations, count, limit));
}

}  // extern "C"
