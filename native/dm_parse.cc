#include "dm_parse.h"

#include <linux/dm-ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "errors.h"

namespace stratis {

namespace {

constexpr uint32_t kInterfaceWithEventNumbers = 37;
constexpr uint32_t kInterfaceWithUuids = 45;
// All records start at multiples of this.
constexpr size_t kAlignment = 8;

size_t AlignUp(size_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

// Reads a result area. Values are copied out, since the bytes need not be aligned in memory.
class ResultArea {
 public:
  ResultArea(const char* command, const uint8_t* data, size_t size)
      : command_(command), data_(data), size_(size) {}

  size_t size() const { return size_; }

  [[noreturn]] void Refuse(size_t offset, const std::string& why) const {
    throw NativeError(EINVAL, command_, "the kernel's result",
                      "at offset " + std::to_string(offset) + " of " + std::to_string(size_) + " bytes " + why);
  }

  template <typename Number>
  Number Read(size_t offset, const char* what) const {
    if (offset > size_ || size_ - offset < sizeof(Number)) Refuse(offset, std::string("there is no ") + what);
    Number value;
    std::memcpy(&value, data_ + offset, sizeof value);
    return value;
  }

  // The text from `offset` up to its NUL, which must come before `end`.
  std::string Text(size_t offset, size_t end, const char* what) const {
    if (end > size_ || offset >= end) Refuse(offset, std::string("there is no ") + what);
    const void* nul = std::memchr(data_ + offset, 0, end - offset);
    if (nul == nullptr) Refuse(offset, std::string(what) + " has no end");
    const size_t length = static_cast<size_t>(static_cast<const uint8_t*>(nul) - (data_ + offset));
    if (length == 0) return "";
    return std::string(reinterpret_cast<const char*>(data_ + offset), length);
  }

  // Where the next record starts, given the distance that the kernel wrote and the end of the current record.
  size_t NextRecord(size_t base, uint32_t distance, size_t end_of_record) const {
    if (distance % kAlignment != 0 || distance > size_ - base || base + distance < end_of_record)
      Refuse(base, "the next record is said to be " + std::to_string(distance) + " bytes away");
    return base + distance;
  }

 private:
  const char* command_;
  const uint8_t* data_;
  size_t size_;
};

// Adds the record at `offset` and returns where it ends.
size_t ParseNameRecord(const ResultArea& area, size_t offset, uint32_t interface_minor,
                       std::vector<DmListEntry>& entries) {
  DmListEntry entry;
  entry.number = DecodeDeviceNumber(area.Read<uint64_t>(offset, "device number"));
  // Not sizeof: the C structure is padded after the first byte of the name.
  const size_t name_offset = offset + offsetof(dm_name_list, name);
  entry.name = area.Text(name_offset, area.size(), "device name");
  size_t end = name_offset + entry.name.size() + 1;
  if (interface_minor >= kInterfaceWithEventNumbers) {
    const size_t event_offset = AlignUp(end);
    entry.event_nr = area.Read<uint32_t>(event_offset, "event number");
    end = event_offset + sizeof(uint32_t);
    if (interface_minor >= kInterfaceWithUuids) {
      const uint32_t flags = area.Read<uint32_t>(end, "flags of a device");
      end += sizeof(uint32_t);
      if ((flags & DM_NAME_LIST_FLAG_HAS_UUID) != 0) {
        entry.uuid = area.Text(end, area.size(), "device uuid");
        end += entry.uuid->size() + 1;
      } else if ((flags & DM_NAME_LIST_FLAG_DOESNT_HAVE_UUID) != 0) {
        entry.uuid = "";
      }
    }
  }
  entries.push_back(std::move(entry));
  return end;
}

}  // namespace

DeviceNumber DecodeDeviceNumber(uint64_t encoded) {
  const uint32_t low = static_cast<uint32_t>(encoded);
  return {(low & 0xfff00U) >> 8, (low & 0xffU) | ((low >> 12) & 0xfff00U)};
}

std::vector<DmListEntry> ParseNameList(const uint8_t* data, size_t size, uint32_t interface_minor) {
  const ResultArea area("DM_LIST_DEVICES", data, size);
  std::vector<DmListEntry> entries;
  if (size == 0) return entries;
  size_t offset = 0;
  for (;;) {
    const uint32_t distance =
        area.Read<uint32_t>(offset + offsetof(dm_name_list, next), "distance to the next device");
    const size_t end = ParseNameRecord(area, offset, interface_minor, entries);
    if (distance == 0) return entries;
    offset = area.NextRecord(offset, distance, end);
  }
}

std::vector<DmTarget> ParseTargets(const uint8_t* data, size_t size, uint32_t count) {
  const ResultArea area("DM_TABLE_STATUS", data, size);
  std::vector<DmTarget> targets;
  // The kernel leaves the count of an earlier table in place for a device that has none: only bytes count.
  if (size == 0) return targets;
  targets.reserve(std::min<size_t>(count, size / sizeof(dm_target_spec)));
  size_t offset = 0;
  for (uint32_t i = 0; i < count; i++) {
    DmTarget target;
    target.start = area.Read<uint64_t>(offset + offsetof(dm_target_spec, sector_start), "start of a target");
    target.length = area.Read<uint64_t>(offset + offsetof(dm_target_spec, length), "length of a target");
    const uint32_t distance = area.Read<uint32_t>(offset + offsetof(dm_target_spec, next), "distance");
    const size_t type_offset = offset + offsetof(dm_target_spec, target_type);
    const size_t params_offset = offset + sizeof(dm_target_spec);
    target.type = area.Text(type_offset, params_offset, "target type");
    target.params = area.Text(params_offset, area.size(), "text of a target");
    const size_t end = params_offset + target.params.size() + 1;
    targets.push_back(std::move(target));
    // In results the distance counts from the first spec, in a table that is loaded from the spec itself.
    if (i + 1 < count) offset = area.NextRecord(0, distance, end);
  }
  return targets;
}

std::vector<DeviceNumber> ParseDeps(const uint8_t* data, size_t size) {
  const ResultArea area("DM_TABLE_DEPS", data, size);
  std::vector<DeviceNumber> dependencies;
  // A device without a table has an empty result.
  if (size == 0) return dependencies;
  const uint32_t count = area.Read<uint32_t>(offsetof(dm_target_deps, count), "number of devices");
  const size_t first = sizeof(dm_target_deps);
  if (size < first || (size - first) / sizeof(uint64_t) < count)
    area.Refuse(0, std::to_string(count) + " devices are announced, which do not fit");
  dependencies.reserve(count);
  for (uint32_t i = 0; i < count; i++)
    dependencies.push_back(
        DecodeDeviceNumber(area.Read<uint64_t>(first + i * sizeof(uint64_t), "device number")));
  return dependencies;
}

}  // namespace stratis
