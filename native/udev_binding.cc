// UdevMonitor, udevEnumerate, udevBlockDevice and requestUevent: conversions between JavaScript and udev.h.
#include <napi.h>

#include <cerrno>
#include <memory>

#include "convert.h"
#include "errors.h"
#include "module.h"
#include "promise.h"
#include "udev.h"

namespace stratis {

namespace {

constexpr size_t kMaxNameBytes = 256;
// 12 and 20 bits: what a device number of Linux holds.
constexpr uint32_t kMaxMajor = 0xfff;
constexpr uint32_t kMaxMinor = 0xfffff;
// A page is what the kernel takes of a write to an attribute in sysfs, with a NUL behind it.
constexpr size_t kMaxRequestBytes = 4095;

Napi::Value ConvertOptionalText(Napi::Env env, const std::optional<std::string>& text) {
  return text ? Napi::String::New(env, *text) : env.Null();
}

Napi::Value ConvertRecord(Napi::Env env, const UdevDeviceRecord& record) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("action", ConvertOptionalText(env, record.action));
  object.Set("initialized", record.initialized);
  object.Set("devnode", ConvertOptionalText(env, record.devnode));
  object.Set("major", record.number ? Napi::Number::New(env, record.number->first) : env.Null());
  object.Set("minor", record.number ? Napi::Number::New(env, record.number->second) : env.Null());
  object.Set("sysPath", record.sys_path);
  Napi::Object properties = Napi::Object::New(env);
  // Defined, not assigned: a property could be called __proto__.
  for (const auto& [name, value] : record.properties)
    properties.DefineProperty(Napi::PropertyDescriptor::Value(
        Napi::String::New(env, name), Napi::String::New(env, value),
        static_cast<napi_property_attributes>(napi_writable | napi_enumerable | napi_configurable)));
  object.Set("properties", properties);
  return object;
}

Napi::Value ConvertRecords(Napi::Env env, const std::vector<UdevDeviceRecord>& records) {
  Napi::Array array = Napi::Array::New(env, records.size());
  for (uint32_t i = 0; i < records.size(); i++) {
    const Napi::HandleScope scope(env);
    array.Set(i, ConvertRecord(env, records[i]));
  }
  return array;
}

class UdevMonitor final : public Napi::ObjectWrap<UdevMonitor> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "UdevMonitor",
                       {InstanceAccessor<&UdevMonitor::Fd>("fd"),
                        InstanceMethod("receive", &UdevMonitor::Receive),
                        InstanceMethod("close", &UdevMonitor::Close)});
  }

  explicit UdevMonitor(const Napi::CallbackInfo& info) : Napi::ObjectWrap<UdevMonitor>(info) {
    Guarded(info.Env(), "UdevMonitor", [&] {
      const std::string subsystem = ToText(info[0], {"UdevMonitor", "subsystem"}, kMaxNameBytes);
      source_ = std::make_shared<UdevEventSource>(subsystem);
      fd_ = source_->Descriptor();
    });
  }

 private:
  Napi::Value Fd(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), fd_); }

  Napi::Value Receive(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return Promised(env, "UdevMonitor.receive", [&]() -> Napi::Value {
      // The job shares the source, since the object may be collected or closed meanwhile.
      if (source_ == nullptr)
        throw NativeError(EBADF, "UdevMonitor.receive", "udev monitor", "the monitor is closed");
      return RunJob<UdevEvents>(
          env, "UdevMonitor.receive", [source = source_] { return source->Receive(); },
          [](Napi::Env env, UdevEvents& events) -> Napi::Value {
            Napi::Object object = Napi::Object::New(env);
            object.Set("events", ConvertRecords(env, events.devices));
            object.Set("overflow", events.overflow);
            return object;
          });
    });
  }

  // A running receive() ends first: it holds the source until then, so that the descriptor isn't closed under it.
  void Close(const Napi::CallbackInfo&) {
    source_.reset();
    fd_ = -1;
  }

  std::shared_ptr<UdevEventSource> source_;
  int fd_ = -1;
};

using Records = std::vector<UdevDeviceRecord>;

std::vector<std::pair<std::string, std::string>> ReadProperties(const ObjectReader& filter) {
  std::vector<std::pair<std::string, std::string>> properties;
  if (!filter.Has("properties")) return properties;
  const ArgumentName name = filter.Name("properties");
  const Napi::Value value = filter.Get("properties");
  if (!value.IsObject() || value.IsArray() || value.IsFunction()) name.Refuse("it is not an object");
  const Napi::Object object = value.As<Napi::Object>();
  const Napi::Array keys = object.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); i++) {
    const std::string key = ToText(keys.Get(i), name);
    properties.emplace_back(key, ToText(object.Get(key), name.Member(key)));
  }
  return properties;
}

Napi::Value UdevEnumerateFunction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promised(env, "udevEnumerate", [&]() -> Napi::Value {
    const ObjectReader filter(info[0], {"udevEnumerate", "filter"});
    std::string subsystem = filter.Text("subsystem", kMaxNameBytes);
    auto properties = ReadProperties(filter);
    return RunJob<Records>(
        env, "udevEnumerate",
        [subsystem = std::move(subsystem), properties = std::move(properties)] {
          return EnumerateUdevDevices(subsystem, properties);
        },
        [](Napi::Env env, Records& records) { return ConvertRecords(env, records); });
  });
}

Napi::Value UdevBlockDeviceFunction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promised(env, "udevBlockDevice", [&]() -> Napi::Value {
    const uint32_t major = ToUint32(info[0], {"udevBlockDevice", "major"}, kMaxMajor);
    const uint32_t minor = ToUint32(info[1], {"udevBlockDevice", "minor"}, kMaxMinor);
    using Found = std::optional<UdevDeviceRecord>;
    return RunJob<Found>(
        env, "udevBlockDevice", [major, minor] { return FindUdevBlockDevice(major, minor); },
        [](Napi::Env env, Found& record) -> Napi::Value {
          return record ? ConvertRecord(env, *record) : env.Null();
        });
  });
}

Napi::Value RequestUeventFunction(const Napi::CallbackInfo& info) {
  const char* name = "requestUevent";
  return Guarded(info.Env(), name, [&] {
    const uint32_t major = ToUint32(info[0], {name, "major"}, kMaxMajor);
    const uint32_t minor = ToUint32(info[1], {name, "minor"}, kMaxMinor);
    const std::string request = ToText(info[2], {name, "request"}, kMaxRequestBytes);
    RequestUevent(major, minor, request);
    return info.Env().Undefined();
  });
}

}  // namespace

void InitUdev(Napi::Env env, Napi::Object exports) {
  exports.Set("UdevMonitor", UdevMonitor::Define(env));
  exports.Set("udevEnumerate", Napi::Function::New(env, UdevEnumerateFunction, "udevEnumerate"));
  exports.Set("udevBlockDevice", Napi::Function::New(env, UdevBlockDeviceFunction, "udevBlockDevice"));
  exports.Set("requestUevent", Napi::Function::New(env, RequestUeventFunction, "requestUevent"));
}

}  // namespace stratis
