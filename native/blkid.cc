#include <blkid/blkid.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "unique_fd.h"

namespace stratis {

namespace {

constexpr const char* kName = "blkidProbe";

// Return values of blkid_do_safeprobe, which older releases of the library have no names for.
constexpr int kFound = 0;
constexpr int kNothing = 1;
constexpr int kAmbivalent = -2;

struct ProbeResult {
  std::optional<std::string> type;
  std::optional<std::string> usage;
  std::optional<std::string> uuid;
  std::optional<std::string> partitionTable;
  int partitions = 0;
  bool ambivalent = false;
};

struct FreeProbe {
  void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};
using Probe = std::unique_ptr<struct blkid_struct_probe, FreeProbe>;

// The library reports most failures as -1 and leaves errno where the failing call set it, or does not set it.
NativeError Failure(const char* call, const std::string& path) {
  return NativeError(errno != 0 ? errno : EIO, call, path);
}

std::optional<std::string> ValueOf(blkid_probe probe, const char* name) {
  const char* value = nullptr;
  if (blkid_probe_lookup_value(probe, name, &value, nullptr) != 0 || value == nullptr) return std::nullopt;
  return std::string(value);
}

UniqueFd OpenDevice(const std::string& path) {
  // O_NONBLOCK: a named pipe would otherwise wait for its writer, and a drive for its disk.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw NativeError(errno, "open", path);
  struct stat status;
  if (fstat(fd.get(), &status) != 0) throw NativeError(errno, "fstat", path);
  if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode)) {
    throw NativeError(ENOTBLK, "open", path, "neither a block device nor a regular file");
  }
  return fd;
}

Probe PrepareProbe(int fd, const std::string& path) {
  errno = 0;
  Probe probe(blkid_new_probe());
  if (!probe) throw NativeError(ENOMEM, "blkid_new_probe", path);
  if (blkid_probe_set_device(probe.get(), fd, 0, 0) != 0) throw Failure("blkid_probe_set_device", path);
  // Without BLKID_SUBLKS_BADCSUM: a signature whose checksum is wrong does not count.
  const int wanted = BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_UUID;
  if (blkid_probe_enable_superblocks(probe.get(), 1) != 0 ||
      blkid_probe_set_superblocks_flags(probe.get(), wanted) != 0) {
    throw Failure("blkid_probe_set_superblocks_flags", path);
  }
  if (blkid_probe_enable_partitions(probe.get(), 1) != 0) throw Failure("blkid_probe_enable_partitions", path);
  return probe;
}

ProbeResult ProbeDevice(const std::string& path) {
  const UniqueFd fd = OpenDevice(path);
  const Probe probe = PrepareProbe(fd.get(), path);
  ProbeResult result;
  errno = 0;
  const int outcome = blkid_do_safeprobe(probe.get());
  if (outcome == kNothing) return result;
  if (outcome == kAmbivalent) {
    result.ambivalent = true;
    return result;
  }
  if (outcome != kFound) throw Failure("blkid_do_safeprobe", path);
  result.type = ValueOf(probe.get(), "TYPE");
  result.usage = ValueOf(probe.get(), "USAGE");
  result.uuid = ValueOf(probe.get(), "UUID");
  result.partitionTable = ValueOf(probe.get(), "PTTYPE");
  if (!result.partitionTable) return result;
  // Last, because it probes once more and forgets the values.
  errno = 0;
  const blkid_partlist partitions = blkid_probe_get_partitions(probe.get());
  if (partitions == nullptr) throw Failure("blkid_probe_get_partitions", path);
  result.partitions = blkid_partlist_numof_partitions(partitions);
  return result;
}

Napi::Value TextOrNull(Napi::Env env, const std::optional<std::string>& text) {
  if (!text) return env.Null();
  return Napi::String::New(env, *text);
}

Napi::Value ResultToJs(Napi::Env env, ProbeResult& result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", TextOrNull(env, result.type));
  object.Set("usage", TextOrNull(env, result.usage));
  object.Set("uuid", TextOrNull(env, result.uuid));
  object.Set("partitionTable", TextOrNull(env, result.partitionTable));
  object.Set("partitions", result.partitions);
  object.Set("ambivalent", result.ambivalent);
  return object;
}

Napi::Value BlkidProbe(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToText(info[0], {kName, "path"});
    return RunJob<ProbeResult>(info.Env(), kName, [path] { return ProbeDevice(path); }, ResultToJs);
  });
}

}  // namespace

void InitBlkid(Napi::Env env, Napi::Object exports) {
  exports.Set("blkidProbe", Napi::Function::New(env, BlkidProbe, kName));
}

}  // namespace stratis
