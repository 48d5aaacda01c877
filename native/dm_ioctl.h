// Device-mapper ioctls: requests in, replies out, one after another on the calling thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dm_parse.h"

namespace stratis {

enum class DmOp {
  kVersion,
  kList,
  kArm,
  kCreate,
  kRemove,
  kRename,
  kSetUuid,
  kSuspend,
  kResume,
  kLoad,
  kClear,
  kInfo,
  kTable,
  kStatus,
  kDeps,
  kMessage,
};

// A checked request: every text fits its field of the ioctl.
struct DmRequest {
  DmOp op = DmOp::kVersion;
  std::string name;
  std::string uuid;      // create, set uuid
  std::string new_name;  // rename
  std::string message;
  uint64_t sector = 0;  // message
  std::vector<DmTarget> targets;
  uint16_t udev_flags = 0;  // resume
  uint32_t attempts = 1;    // remove
  bool deferred = false;
  bool no_flush = false;
  bool skip_lock_fs = false;
  bool read_only = false;
  bool secure_data = false;
  bool inactive = false;
};

struct DmDeviceInfo {
  std::string name;
  std::string uuid;
  DeviceNumber number;
  int32_t open_count = 0;
  uint32_t target_count = 0;
  uint32_t event_nr = 0;
  uint32_t flags = 0;
};

struct DmReply {
  // How long the ioctl took, with its further attempts, and without waiting for udev.
  uint64_t microseconds = 0;
  std::array<uint32_t, 3> version = {0, 0, 0};
  std::optional<DmDeviceInfo> device;
  std::optional<std::vector<DmTarget>> targets;
  std::optional<std::vector<DmListEntry>> devices;
  std::optional<std::vector<DeviceNumber>> dependencies;
  std::optional<std::string> text;
};

struct DmStep {
  DmRequest request;
  std::vector<DmRequest> undo;
  // errno values that count as success
  std::vector<int> ignore;
};

// The process's one descriptor of /dev/mapper/control, opened on first use. The kernel keeps the state of polling
// per open file, so that arming and polling must use this same one.
int DmControlDescriptor();

// "DM_TABLE_LOAD": the kernel's name of the ioctl behind an operation.
const char* DmCommandName(DmOp op);

// Runs the steps in order. An ignored failure gives an empty reply. When a step fails the undo lists of the steps
// that took effect run in reverse order and a NativeError with `step` and `undo_errors` is thrown.
std::vector<std::optional<DmReply>> RunDmSequence(const std::vector<DmStep>& steps);

DmReply RunDmRequest(const DmRequest& request);

}  // namespace stratis
