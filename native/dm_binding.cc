// dmCall, dmSequence and their relatives: conversions between JavaScript and dm_ioctl.h.
#include <linux/dm-ioctl.h>
#include <napi.h>

#include <algorithm>
#include <map>
#include <utility>

#include "convert.h"
#include "dm_ioctl.h"
#include "dm_parse.h"
#include "dm_request.h"
#include "errors.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

constexpr uint32_t kMaxSteps = 4096;
constexpr uint32_t kMaxTargets = 65536;
constexpr uint32_t kMaxAttempts = 1000;
constexpr uint32_t kDefaultRemoveAttempts = 5;
constexpr uint32_t kMaxUdevFlags = 0xffff;

bool IsPrintableAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// Text for a field of `size` bytes with its NUL.
std::string ReadIdentifier(const ObjectReader& request, const char* member, size_t size) {
  std::string text = request.Text(member, size - 1);
  if (!IsPrintableAscii(text)) request.Name(member).Refuse("it has characters that are not printable ASCII");
  return text;
}

std::string ReadDeviceName(const ObjectReader& request, const char* member) {
  std::string name = ReadIdentifier(request, member, DM_NAME_LEN);
  if (name.empty()) request.Name(member).Refuse("it is empty");
  // The kernel's rules: names become nodes in one directory, beside the control node.
  if (name.find('/') != std::string::npos) request.Name(member).Refuse("it holds a slash");
  if (name == "." || name == ".." || name == DM_CONTROL_NODE) request.Name(member).Refuse("it is reserved");
  return name;
}

DmTarget ReadTarget(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  DmTarget target;
  target.start = reader.Uint64("start");
  target.length = reader.Uint64("length");
  target.type = ReadIdentifier(reader, "type", DM_MAX_TYPE_NAME);
  if (target.type.empty()) reader.Name("type").Refuse("it is empty");
  target.params = reader.Text("params");
  return target;
}

void ReadCreate(const ObjectReader& reader, DmRequest& request) {
  request.uuid = ReadIdentifier(reader, "uuid", DM_UUID_LEN);
}

void ReadRemove(const ObjectReader& reader, DmRequest& request) {
  request.deferred = reader.OptionalBool("deferred", false);
  request.attempts = reader.OptionalUint32("attempts", kDefaultRemoveAttempts, kMaxAttempts);
  if (request.attempts == 0) reader.Name("attempts").Refuse("there must be one at least");
}

void ReadRename(const ObjectReader& reader, DmRequest& request) {
  request.new_name = ReadDeviceName(reader, "newName");
}

void ReadSetUuid(const ObjectReader& reader, DmRequest& request) {
  request.uuid = ReadIdentifier(reader, "uuid", DM_UUID_LEN);
  if (request.uuid.empty()) reader.Name("uuid").Refuse("it is empty");
}

void ReadSuspend(const ObjectReader& reader, DmRequest& request) {
  request.no_flush = reader.OptionalBool("noFlush", false);
  request.skip_lock_fs = reader.OptionalBool("skipLockFs", false);
}

void ReadResume(const ObjectReader& reader, DmRequest& request) {
  request.udev_flags = static_cast<uint16_t>(reader.OptionalUint32("udevFlags", 0, kMaxUdevFlags));
}

void ReadLoad(const ObjectReader& reader, DmRequest& request) {
  const Napi::Array targets = ToArray(reader.Get("targets"), reader.Name("targets"), kMaxTargets);
  if (targets.Length() == 0) reader.Name("targets").Refuse("it is empty");
  request.targets.reserve(targets.Length());
  for (uint32_t i = 0; i < targets.Length(); i++)
    request.targets.push_back(ReadTarget(targets.Get(i), reader.Name("targets").Element(i)));
  request.read_only = reader.OptionalBool("readOnly", false);
  request.secure_data = reader.OptionalBool("secureData", false);
}

void ReadTable(const ObjectReader& reader, DmRequest& request) {
  request.inactive = reader.OptionalBool("inactive", false);
  request.secure_data = reader.OptionalBool("secureData", false);
}

void ReadStatus(const ObjectReader& reader, DmRequest& request) {
  request.no_flush = reader.OptionalBool("noFlush", false);
}

void ReadDeps(const ObjectReader& reader, DmRequest& request) {
  request.inactive = reader.OptionalBool("inactive", false);
}

void ReadMessage(const ObjectReader& reader, DmRequest& request) {
  request.sector = reader.OptionalUint64("sector", 0);
  request.message = reader.Text("message");
  if (request.message.empty()) reader.Name("message").Refuse("it is empty");
}

void ReadNothing(const ObjectReader&, DmRequest&) {}

struct Operation {
  DmOp op;
  bool has_name;
  void (*read)(const ObjectReader& reader, DmRequest& request);
};

const std::map<std::string, Operation>& Operations() {
  static const std::map<std::string, Operation> operations = {
      {"version", {DmOp::kVersion, false, ReadNothing}}, {"list", {DmOp::kList, false, ReadNothing}},
      {"arm", {DmOp::kArm, false, ReadNothing}},         {"create", {DmOp::kCreate, true, ReadCreate}},
      {"remove", {DmOp::kRemove, true, ReadRemove}},     {"rename", {DmOp::kRename, true, ReadRename}},
      {"setUuid", {DmOp::kSetUuid, true, ReadSetUuid}},  {"suspend", {DmOp::kSuspend, true, ReadSuspend}},
      {"resume", {DmOp::kResume, true, ReadResume}},     {"load", {DmOp::kLoad, true, ReadLoad}},
      {"clear", {DmOp::kClear, true, ReadNothing}},      {"info", {DmOp::kInfo, true, ReadNothing}},
      {"table", {DmOp::kTable, true, ReadTable}},        {"status", {DmOp::kStatus, true, ReadStatus}},
      {"deps", {DmOp::kDeps, true, ReadDeps}},           {"message", {DmOp::kMessage, true, ReadMessage}},
  };
  return operations;
}

DmRequest ReadRequest(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  const std::string op = reader.Text("op", 64);
  const auto found = Operations().find(op);
  if (found == Operations().end()) reader.Name("op").Refuse("there is no operation \"" + op + "\"");
  DmRequest request;
  request.op = found->second.op;
  if (found->second.has_name) request.name = ReadDeviceName(reader, "name");
  found->second.read(reader, request);
  return request;
}

int ReadErrnoName(const Napi::Value& value, const ArgumentName& name) {
  static const std::map<std::string, int> numbers = [] {
    constexpr int kLargestErrno = 133;
    std::map<std::string, int> by_name;
    for (int number = 1; number <= kLargestErrno; number++) by_name[ErrnoName(number)] = number;
    return by_name;
  }();
  const std::string text = ToText(value, name, 64);
  const auto found = numbers.find(text);
  if (found == numbers.end()) name.Refuse("\"" + text + "\" is not the name of an errno value");
  return found->second;
}

DmStep ReadStep(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  DmStep step;
  step.request = ReadRequest(reader.Get("request"), reader.Name("request"));
  if (reader.Has("undo")) {
    const Napi::Array undo = ToArray(reader.Get("undo"), reader.Name("undo"), kMaxSteps);
    for (uint32_t i = 0; i < undo.Length(); i++)
      step.undo.push_back(ReadRequest(undo.Get(i), reader.Name("undo").Element(i)));
  }
  if (reader.Has("ignore")) {
    const Napi::Array ignore = ToArray(reader.Get("ignore"), reader.Name("ignore"), kMaxSteps);
    for (uint32_t i = 0; i < ignore.Length(); i++)
      step.ignore.push_back(ReadErrnoName(ignore.Get(i), reader.Name("ignore").Element(i)));
  }
  return step;
}

template <typename Item, typename Convert>
Napi::Array ConvertList(Napi::Env env, const std::vector<Item>& items, Convert convert) {
  Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); i++) {
    const Napi::HandleScope scope(env);
    array.Set(i, convert(env, items[i]));
  }
  return array;
}

Napi::Value ConvertDevice(Napi::Env env, const DmDeviceInfo& device) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", device.name);
  object.Set("uuid", device.uuid);
  object.Set("major", device.number.major);
  object.Set("minor", device.number.minor);
  object.Set("openCount", device.open_count);
  object.Set("targetCount", device.target_count);
  object.Set("eventNr", device.event_nr);
  object.Set("readOnly", (device.flags & DM_READONLY_FLAG) != 0);
  object.Set("suspended", (device.flags & DM_SUSPEND_FLAG) != 0);
  object.Set("activeTable", (device.flags & DM_ACTIVE_PRESENT_FLAG) != 0);
  object.Set("inactiveTable", (device.flags & DM_INACTIVE_PRESENT_FLAG) != 0);
  return object;
}

Napi::Value ConvertTarget(Napi::Env env, const DmTarget& target) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("start", Napi::BigInt::New(env, target.start));
  object.Set("length", Napi::BigInt::New(env, target.length));
  object.Set("type", target.type);
  object.Set("params", target.params);
  return object;
}

Napi::Value ConvertListEntry(Napi::Env env, const DmListEntry& entry) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", entry.name);
  if (entry.uuid)
    object.Set("uuid", *entry.uuid);
  else
    object.Set("uuid", env.Null());
  object.Set("major", entry.number.major);
  object.Set("minor", entry.number.minor);
  object.Set("eventNr", entry.event_nr);
  return object;
}

Napi::Value ConvertNumber(Napi::Env env, const DeviceNumber& number) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("major", number.major);
  object.Set("minor", number.minor);
  return object;
}

Napi::Value ConvertReply(Napi::Env env, const DmReply& reply) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array version = Napi::Array::New(env, reply.version.size());
  for (uint32_t i = 0; i < reply.version.size(); i++) version.Set(i, reply.version[i]);
  object.Set("version", version);
  object.Set("microseconds", static_cast<double>(reply.microseconds));
  if (reply.device) object.Set("device", ConvertDevice(env, *reply.device));
  if (reply.targets) object.Set("targets", ConvertList(env, *reply.targets, ConvertTarget));
  if (reply.devices) object.Set("devices", ConvertList(env, *reply.devices, ConvertListEntry));
  if (reply.dependencies)
    object.Set("dependencies", ConvertList(env, *reply.dependencies, ConvertNumber));
  if (reply.text) object.Set("text", *reply.text);
  return object;
}

Napi::Value DmCallFunction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promised(env, "dmCall", [&]() -> Napi::Value {
    DmRequest request = ReadRequest(info[0], {"dmCall", "request"});
    return RunJob<DmReply>(
        env, "dmCall", [request = std::move(request)] { return RunDmRequest(request); },
        [](Napi::Env env, DmReply& reply) { return ConvertReply(env, reply); });
  });
}

using Replies = std::vector<std::optional<DmReply>>;

Napi::Value ConvertOptionalReply(Napi::Env env, const std::optional<DmReply>& reply) {
  return reply ? ConvertReply(env, *reply) : env.Null();
}

Napi::Value DmSequenceFunction(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Promised(env, "dmSequence", [&]() -> Napi::Value {
    const ArgumentName name = {"dmSequence", "steps"};
    const Napi::Array array = ToArray(info[0], name, kMaxSteps);
    std::vector<DmStep> steps;
    for (uint32_t i = 0; i < array.Length(); i++) steps.push_back(ReadStep(array.Get(i), name.Element(i)));
    return RunJob<Replies>(
        env, "dmSequence", [steps = std::move(steps)] { return RunDmSequence(steps); },
        [](Napi::Env env, Replies& replies) { return ConvertList(env, replies, ConvertOptionalReply); });
  });
}

Napi::Value DmControlFdFunction(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "dmControlFd",
                 [&]() -> Napi::Value { return Napi::Number::New(info.Env(), DmControlDescriptor()); });
}

Napi::Value DmParseNameListFunction(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "dmParseNameList", [&]() -> Napi::Value {
    const auto [data, size] = ToBytes(info[0], {"dmParseNameList", "data"});
    const uint32_t minor = ToUint32(info[1], {"dmParseNameList", "minorVersion"});
    return ConvertList(info.Env(), ParseNameList(data, size, minor), ConvertListEntry);
  });
}

Napi::Value DmParseTargetsFunction(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "dmParseTargets", [&]() -> Napi::Value {
    const auto [data, size] = ToBytes(info[0], {"dmParseTargets", "data"});
    const uint32_t count = ToUint32(info[1], {"dmParseTargets", "targetCount"});
    return ConvertList(info.Env(), ParseTargets(data, size, count), ConvertTarget);
  });
}

Napi::Value DmParseDepsFunction(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "dmParseDeps", [&]() -> Napi::Value {
    const auto [data, size] = ToBytes(info[0], {"dmParseDeps", "data"});
    return ConvertList(info.Env(), ParseDeps(data, size), ConvertNumber);
  });
}

}  // namespace

DmRequest ReadDmRequest(const Napi::Value& value, const ArgumentName& name) { return ReadRequest(value, name); }

void InitDm(Napi::Env env, Napi::Object exports) {
  exports.Set("dmCall", Napi::Function::New(env, DmCallFunction, "dmCall"));
  exports.Set("dmSequence", Napi::Function::New(env, DmSequenceFunction, "dmSequence"));
  exports.Set("dmControlFd", Napi::Function::New(env, DmControlFdFunction, "dmControlFd"));
  exports.Set("dmParseNameList", Napi::Function::New(env, DmParseNameListFunction, "dmParseNameList"));
  exports.Set("dmParseTargets", Napi::Function::New(env, DmParseTargetsFunction, "dmParseTargets"));
  exports.Set("dmParseDeps", Napi::Function::New(env, DmParseDepsFunction, "dmParseDeps"));
}

}  // namespace stratis
