// Parsers of what device-mapper ioctls return after their header (linux/dm-ioctl.h). They take any bytes: whatever
// does not lie within `data` ends in a NativeError with code EINVAL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stratis {

struct DeviceNumber {
  uint32_t major = 0;
  uint32_t minor = 0;
};

struct DmTarget {
  uint64_t start = 0;   // sectors
  uint64_t length = 0;  // sectors
  std::string type;
  std::string params;
};

struct DmListEntry {
  std::string name;
  // Nothing where the kernel lists no uuids; empty where the device has none.
  std::optional<std::string> uuid;
  DeviceNumber number;
  uint32_t event_nr = 0;
};

// The kernel's "huge" encoding, of which 32 bits are used.
DeviceNumber DecodeDeviceNumber(uint64_t encoded);

// Results of DM_LIST_DEVICES. `interface_minor` is the kernel's: event numbers come with 4.37, uuids with 4.45.
std::vector<DmListEntry> ParseNameList(const uint8_t* data, size_t size, uint32_t interface_minor);

// Results of DM_TABLE_STATUS: `count` target specs, each followed by its parameters or status.
std::vector<DmTarget> ParseTargets(const uint8_t* data, size_t size, uint32_t count);

// Results of DM_TABLE_DEPS.
std::vector<DeviceNumber> ParseDeps(const uint8_t* data, size_t size);

}  // namespace stratis
