#include "udev.h"

#include <fcntl.h>
#include <libudev.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "errors.h"
#include "unique_fd.h"
#include "write_all.h"

namespace stratis {

namespace {

// Room for some ten thousand events, while the daemon is busy with a pool.
constexpr int kReceiveBufferBytes = 16 * 1024 * 1024;
// Bounds the memory of one Receive in a storm of events; the descriptor stays readable for the rest.
constexpr size_t kLargestBatch = 4096;

struct Release {
  void operator()(udev* object) const { udev_unref(object); }
  void operator()(udev_device* object) const { udev_device_unref(object); }
  void operator()(udev_enumerate* object) const { udev_enumerate_unref(object); }
  void operator()(udev_monitor* object) const { udev_monitor_unref(object); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Release>;

// libudev sets errno beside returning NULL, and returns negated errno values elsewhere.
template <typename Object>
Owned<Object> Require(Object* object, const char* call, const std::string& target) {
  if (object == nullptr) throw NativeError(errno != 0 ? errno : EIO, call, target);
  return Owned<Object>(object);
}

void CheckUdev(int status, const char* call, const std::string& target) {
  if (status < 0) throw NativeError(-status, call, target);
}

Owned<udev> NewContext() {
  errno = 0;
  return Require(udev_new(), "udev_new", "libudev");
}

std::optional<std::string> OptionalText(const char* text) {
  return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
}

std::string TextOrEmpty(const char* text) { return text != nullptr ? text : ""; }

UdevDeviceRecord Describe(udev_device* device) {
  UdevDeviceRecord record;
  record.action = OptionalText(udev_device_get_action(device));
  record.initialized = udev_device_get_is_initialized(device) > 0;
  record.devnode = OptionalText(udev_device_get_devnode(device));
  const dev_t number = udev_device_get_devnum(device);
  if (number != 0) record.number = {major(number), minor(number)};
  record.sys_path = TextOrEmpty(udev_device_get_syspath(device));
  udev_list_entry* entry = udev_device_get_properties_list_entry(device);
  for (; entry != nullptr; entry = udev_list_entry_get_next(entry))
    record.properties.emplace_back(TextOrEmpty(udev_list_entry_get_name(entry)),
                                   TextOrEmpty(udev_list_entry_get_value(entry)));
  return record;
}

// The device went away between being found and being looked at.
bool MeansAbsent(int number) { return number == ENOENT || number == ENODEV || number == ENXIO; }

bool HasProperty(const UdevDeviceRecord& device, const std::pair<std::string, std::string>& property) {
  return std::find(device.properties.begin(), device.properties.end(), property) != device.properties.end();
}

}  // namespace

UdevEventSource::UdevEventSource(std::string subsystem) : subsystem_(std::move(subsystem)) {
  Owned<udev> context = NewContext();
  errno = 0;
  Owned<udev_monitor> monitor = Require(udev_monitor_new_from_netlink(context.get(), "udev"),
                                        "udev_monitor_new_from_netlink", subsystem_);
  CheckUdev(udev_monitor_filter_add_match_subsystem_devtype(monitor.get(), subsystem_.c_str(), nullptr),
            "udev_monitor_filter_add_match_subsystem_devtype", subsystem_);
  // Raising it needs CAP_NET_ADMIN. Without, overflows are likelier, and those are reported.
  (void)udev_monitor_set_receive_buffer_size(monitor.get(), kReceiveBufferBytes);
  CheckUdev(udev_monitor_enable_receiving(monitor.get()), "udev_monitor_enable_receiving", subsystem_);
  context_ = context.release();
  monitor_ = monitor.release();
}

UdevEventSource::~UdevEventSource() {
  udev_monitor_unref(monitor_);
  udev_unref(context_);
}

int UdevEventSource::Descriptor() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return udev_monitor_get_fd(monitor_);
}

UdevEvents UdevEventSource::Receive() {
  const std::lock_guard<std::mutex> lock(mutex_);
  UdevEvents events;
  while (events.devices.size() < kLargestBatch) {
    errno = 0;
    const Owned<udev_device> device(udev_monitor_receive_device(monitor_));
    const int number = errno;
    if (device != nullptr) {
      events.devices.push_back(Describe(device.get()));
      continue;
    }
    if (number == EINTR) continue;
    if (number == ENOBUFS) {
      events.overflow = true;
      continue;
    }
    // 0: a message that libudev took and threw away.
    if (number == EAGAIN || number == 0) break;
    throw NativeError(number, "udev_monitor_receive_device", subsystem_);
  }
  return events;
}

std::vector<UdevDeviceRecord> EnumerateUdevDevices(
    const std::string& subsystem, const std::vector<std::pair<std::string, std::string>>& properties) {
  const Owned<udev> context = NewContext();
  errno = 0;
  const Owned<udev_enumerate> enumeration =
      Require(udev_enumerate_new(context.get()), "udev_enumerate_new", subsystem);
  CheckUdev(udev_enumerate_add_match_subsystem(enumeration.get(), subsystem.c_str()),
            "udev_enumerate_add_match_subsystem", subsystem);
  CheckUdev(udev_enumerate_scan_devices(enumeration.get()), "udev_enumerate_scan_devices", subsystem);

  std::vector<UdevDeviceRecord> devices;
  udev_list_entry* entry = udev_enumerate_get_list_entry(enumeration.get());
  for (; entry != nullptr; entry = udev_list_entry_get_next(entry)) {
    const char* sys_path = udev_list_entry_get_name(entry);
    errno = 0;
    const Owned<udev_device> device(udev_device_new_from_syspath(context.get(), sys_path));
    if (device == nullptr) {
      if (MeansAbsent(errno)) continue;
      throw NativeError(errno != 0 ? errno : EIO, "udev_device_new_from_syspath", sys_path);
    }
    UdevDeviceRecord record = Describe(device.get());
    // Not libudev's own match, which takes patterns and is content with any one of several properties.
    const bool matches = std::all_of(properties.begin(), properties.end(),
                                     [&](const auto& property) { return HasProperty(record, property); });
    if (matches) devices.push_back(std::move(record));
  }
  return devices;
}

std::optional<UdevDeviceRecord> FindUdevBlockDevice(uint32_t major_number, uint32_t minor_number) {
  const Owned<udev> context = NewContext();
  errno = 0;
  const Owned<udev_device> device(
      udev_device_new_from_devnum(context.get(), 'b', makedev(major_number, minor_number)));
  if (device != nullptr) return Describe(device.get());
  if (MeansAbsent(errno)) return std::nullopt;
  throw NativeError(errno != 0 ? errno : EIO, "udev_device_new_from_devnum",
                    "block device " + std::to_string(major_number) + ":" + std::to_string(minor_number));
}

void RequestUevent(uint32_t major_number, uint32_t minor_number, const std::string& request) {
  const std::string path =
      "/sys/dev/block/" + std::to_string(major_number) + ":" + std::to_string(minor_number) + "/uevent";
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) throw NativeError(errno, "open", path);
  WriteAll(fd.get(), path, request.data(), request.size());
}

}  // namespace stratis
