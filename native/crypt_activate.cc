// Mappings of dm-crypt, and the volume keys of their devices in the keyring of this process.
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "crypt_device.h"
#include "crypt_unlock.h"
#include "keyring.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

// The library gives keys to dm-crypt by the keyring of its thread and leaves them there. The threads of the pool live
// as long as the process; what they left would, too.
struct ForgottenAtEnd {
  ~ForgottenAtEnd() { ForgetThreadKeys(); }
};

struct Activation {
  std::string path;
  std::string name;
  std::shared_ptr<Unlock> unlock;
  std::optional<std::string> volumeKeyDescription;
  uint32_t flags = 0;
};

struct Activated {
  int keyslot = CRYPT_ANY_SLOT;
  bool volumeKeyLoaded = false;
};

Activated ActivateByVolumeKey(const CryptDevice& device, const Activation& activation) {
  const UnlockedKey unlocked = activation.unlock->Open(device);
  const std::optional<std::string>& description = activation.volumeKeyDescription;
  // Before the mapping: a pool that runs without its volume key could not grow.
  const bool added = description && SetKey(VolumeKeyring(), *description, unlocked.key) != KeyChange::kIdentity;
  const int result = crypt_activate_by_volume_key(device.get(), activation.name.c_str(), unlocked.key.text(),
                                                  unlocked.key.size(), activation.flags);
  // One that was there before belongs to a mapping that is active already.
  if (result < 0 && added) UnsetKey(VolumeKeyring(), *description);
  device.Check(result, "crypt_activate_by_volume_key", "as " + activation.name);
  return {unlocked.keyslot, description.has_value()};
}

Activated ActivateDevice(const Activation& activation) {
  activation.unlock->Prepare();
  CryptDevice device(activation.path, CryptDevice::Use::kChange);
  device.RequireHeader();
  const ForgottenAtEnd forgotten;
  if (!device.ReencryptionPending()) return ActivateByVolumeKey(device, activation);
  // Two volume keys then: the library sorts it out, and recovers what a crash has left, but by passphrase only.
  const int keyslot = activation.unlock->Try(
      device, "crypt_activate_by_passphrase", [&](const Secret& passphrase, int keyslot) {
        return crypt_activate_by_passphrase(device.get(), activation.name.c_str(), keyslot, passphrase.text(),
                                            passphrase.size(), activation.flags);
      });
  return {keyslot, false};
}

std::string ToMappingName(const Napi::Value& value, const ArgumentName& name) {
  // DM_NAME_LEN with its NUL.
  std::string text = ToText(value, name, 127);
  if (text.empty()) name.Refuse("it is empty");
  return text;
}

void ReadActivationOptions(const Napi::Value& value, const ArgumentName& name, Activation& activation) {
  if (value.IsUndefined()) return;
  const ObjectReader options(value, name);
  if (options.OptionalBool("readOnly", false)) activation.flags |= CRYPT_ACTIVATE_READONLY;
  if (options.OptionalBool("shared", false)) activation.flags |= CRYPT_ACTIVATE_SHARED;
  if (options.OptionalBool("allowDiscards", false)) activation.flags |= CRYPT_ACTIVATE_ALLOW_DISCARDS;
  const char* const member = "volumeKeyDescription";
  if (options.Has(member))
    activation.volumeKeyDescription = ToKeyDescription(options.Get(member), options.Name(member));
}

// Null: a volume key has opened it.
Napi::Value KeyslotToJs(Napi::Env env, int keyslot) {
  return keyslot == CRYPT_ANY_SLOT ? env.Null() : Napi::Value(Napi::Number::New(env, keyslot));
}

Napi::Value ActivatedToJs(Napi::Env env, Activated& activated) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("keyslot", KeyslotToJs(env, activated.keyslot));
  object.Set("volumeKeyLoaded", activated.volumeKeyLoaded);
  return object;
}

Napi::Value Activate(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptActivate";
  return Promised(info.Env(), kName, [&] {
    const auto activation = std::make_shared<Activation>();
    activation->path = ToDevicePath(info[0], kName);
    activation->name = ToMappingName(info[1], {kName, "name"});
    activation->unlock = Unlock::OrVolumeKeyFromJs(info[2], {kName, "unlock"});
    ReadActivationOptions(info[3], {kName, "options"}, *activation);
    return RunJob<Activated>(
        info.Env(), kName, [activation] { return ActivateDevice(*activation); }, ActivatedToJs);
  });
}

Napi::Value LoadVolumeKey(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptLoadVolumeKey";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const std::shared_ptr<Unlock> unlock = Unlock::OrVolumeKeyFromJs(info[1], {kName, "unlock"});
    const std::string description = ToKeyDescription(info[2], {kName, "description"});
    return RunJob<int>(
        info.Env(), kName,
        [path, unlock, description] {
          unlock->Prepare();
          CryptDevice device(path, CryptDevice::Use::kRead);
          device.RequireHeader();
          const UnlockedKey unlocked = unlock->Open(device);
          SetKey(VolumeKeyring(), description, unlocked.key);
          return unlocked.keyslot;
        },
        [](Napi::Env env, int& keyslot) { return KeyslotToJs(env, keyslot); });
  });
}

Napi::Value Deactivate(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptDeactivate";
  return Promised(info.Env(), kName, [&] {
    const std::string name = ToMappingName(info[0], {kName, "name"});
    uint32_t flags = 0;
    if (!info[1].IsUndefined()) {
      const ObjectReader options(info[1], {kName, "options"});
      if (options.OptionalBool("deferred", false)) flags |= CRYPT_DEACTIVATE_DEFERRED;
    }
    return RunVoidJob(info.Env(), kName, [name, flags] {
      const CryptTurn turn;
      CheckCrypt(crypt_deactivate_by_name(nullptr, name.c_str(), flags), "crypt_deactivate_by_name", name);
    });
  });
}

const char* StatusOf(const std::string& name) {
  const CryptTurn turn;
  switch (crypt_status(nullptr, name.c_str())) {
    case CRYPT_INACTIVE:
      return "inactive";
    case CRYPT_ACTIVE:
      return "active";
    case CRYPT_BUSY:
      return "busy";
    case CRYPT_INVALID:
      break;
  }
  throw NativeError(EIO, "crypt_status", name, "device-mapper can't tell");
}

Napi::Value Status(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptStatus";
  return Promised(info.Env(), kName, [&] {
    const std::string name = ToMappingName(info[0], {kName, "name"});
    return RunJob<const char*>(
        info.Env(), kName, [name] { return StatusOf(name); },
        [](Napi::Env env, const char*& status) -> Napi::Value { return Napi::String::New(env, status); });
  });
}

struct Resize {
  std::string path;
  std::string name;
  std::optional<std::string> volumeKeyDescription;
  std::shared_ptr<Unlock> unlock;
  uint64_t sizeSectors = 0;

  void Run() const {
    if (unlock != nullptr) unlock->Prepare();
    CryptDevice device(path, CryptDevice::Use::kChange);
    device.RequireHeader();
    crypt_active_device active = {};
    device.Check(crypt_get_active_device(device.get(), name.c_str(), &active), "crypt_get_active_device", name);
    const ForgottenAtEnd forgotten;
    const Secret key = unlock == nullptr ? LoadedKey() : unlock->Open(device).key;
    // The library resizes a mapping whose key is in a keyring only with that key in its thread's keyring.
    const uint32_t flags = active.flags & CRYPT_ACTIVATE_KEYRING_KEY;
    device.Check(crypt_activate_by_volume_key(device.get(), nullptr, key.text(), key.size(), flags),
                 "crypt_activate_by_volume_key");
    device.Check(crypt_resize(device.get(), name.c_str(), sizeSectors), "crypt_resize", name);
  }

  Secret LoadedKey() const {
    std::optional<Secret> key = ReadKey(VolumeKeyring(), *volumeKeyDescription);
    if (!key)
      throw NativeError(ENOKEY, "KEYCTL_SEARCH", "the key '" + *volumeKeyDescription + "' in the process's keyring");
    return std::move(*key);
  }
};

Napi::Value ResizeMapping(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptResize";
  return Promised(info.Env(), kName, [&] {
    const auto resize = std::make_shared<Resize>();
    resize->path = ToDevicePath(info[0], kName);
    resize->name = ToMappingName(info[1], {kName, "name"});
    const ArgumentName unlock{kName, "unlock"};
    const ObjectReader reader(info[2], unlock);
    const char* const member = "volumeKeyDescription";
    if (reader.Has(member)) {
      resize->volumeKeyDescription = ToKeyDescription(reader.Get(member), reader.Name(member));
    } else {
      resize->unlock = Unlock::FromJs(info[2], unlock);
    }
    if (!info[3].IsUndefined()) resize->sizeSectors = ToUint64(info[3], {kName, "sizeSectors"}, INT64_MAX / 512);
    return RunVoidJob(info.Env(), kName, [resize] { resize->Run(); });
  });
}

}  // namespace

void InitCryptActivate(Napi::Env env, Napi::Object exports) {
  exports.Set("cryptActivate", Napi::Function::New(env, Activate, "cryptActivate"));
  exports.Set("cryptLoadVolumeKey", Napi::Function::New(env, LoadVolumeKey, "cryptLoadVolumeKey"));
  exports.Set("cryptDeactivate", Napi::Function::New(env, Deactivate, "cryptDeactivate"));
  exports.Set("cryptStatus", Napi::Function::New(env, Status, "cryptStatus"));
  exports.Set("cryptResize", Napi::Function::New(env, ResizeMapping, "cryptResize"));
}

}  // namespace stratis
