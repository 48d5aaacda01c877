// Keyslots and tokens of LUKS2 headers.
#include <memory>
#include <optional>
#include <string>

#include "crypt_device.h"
#include "crypt_pbkdf.h"
#include "crypt_unlock.h"
#include "module.h"
#include "promise.h"
#include "secret_source.h"
#include "volume_key.h"

namespace stratis {

namespace {

constexpr size_t kMostTokenBytes = 1 << 20;

struct AddKeyslot {
  std::string path;
  std::shared_ptr<const Secret> volumeKey;
  std::shared_ptr<Unlock> unlock;
  std::shared_ptr<SecretSource> added;
  int keyslot = CRYPT_ANY_SLOT;
  bool unbound = false;
  std::optional<KeyDerivation> derivation;

  int Run() const {
    const Secret passphrase = added->Take();
    if (unlock != nullptr) unlock->Prepare();
    CryptDevice device(path, CryptDevice::Use::kChange);
    device.RequireHeader();
    SetKeyDerivation(device, derivation);
    UnlockedKey unlocked;
    if (volumeKey == nullptr) unlocked = unlock->Open(device);
    const Secret& key = volumeKey == nullptr ? unlocked.key : *volumeKey;
    // A key of no segment is that of a re-encryption to come: the first of its keyslots makes its digest, the others
    // share it.
    const uint32_t flags = unbound ? CRYPT_VOLUME_KEY_NO_SEGMENT | CRYPT_VOLUME_KEY_DIGEST_REUSE : 0;
    return device.Check(crypt_keyslot_add_by_key(device.get(), keyslot, key.text(), key.size(), passphrase.text(),
                                                 passphrase.size(), flags),
                        "crypt_keyslot_add_by_key");
  }
};

Napi::Value SlotToJs(Napi::Env env, int& slot) { return Napi::Number::New(env, slot); }

Napi::Value Add(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptAddKeyslot";
  return Promised(info.Env(), kName, [&] {
    const auto request = std::make_shared<AddKeyslot>();
    request->path = ToDevicePath(info[0], kName);
    const ArgumentName authorisation{kName, "authorisation"};
    const ObjectReader reader(info[1], authorisation);
    if (reader.Has("volumeKey")) {
      request->volumeKey = ToVolumeKey(reader.Get("volumeKey"), reader.Name("volumeKey"));
    } else {
      request->unlock = Unlock::FromJs(info[1], authorisation);
    }
    request->added = SecretSource::FromJs(info[2], {kName, "added"});
    if (!info[3].IsUndefined()) {
      const ObjectReader options(info[3], {kName, "options"});
      request->keyslot = OptionalSlot(options, "keyslot");
      request->unbound = options.OptionalBool("unbound", false);
      request->derivation = ReadKeyDerivation(options);
    }
    return RunJob<int>(info.Env(), kName, [request] { return request->Run(); }, SlotToJs);
  });
}

Napi::Value Change(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptChangeKeyslot";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const int keyslot = ToSlot(info[1], {kName, "keyslot"});
    const std::shared_ptr<SecretSource> before = SecretSource::FromJs(info[2], {kName, "before"});
    const std::shared_ptr<SecretSource> after = SecretSource::FromJs(info[3], {kName, "after"});
    std::optional<KeyDerivation> derivation;
    if (!info[4].IsUndefined()) derivation = ReadKeyDerivation(ObjectReader(info[4], {kName, "options"}));
    return RunJob<int>(
        info.Env(), kName,
        [path, keyslot, before, after, derivation] {
          const Secret old = before->Take();
          const Secret changed = after->Take();
          CryptDevice device(path, CryptDevice::Use::kChange);
          device.RequireHeader();
          SetKeyDerivation(device, derivation);
          return device.Check(
              crypt_keyslot_change_by_passphrase(device.get(), keyslot, keyslot, old.text(), old.size(), changed.text(),
                                                 changed.size()),
              "crypt_keyslot_change_by_passphrase", "keyslot " + std::to_string(keyslot));
        },
        SlotToJs);
  });
}

Napi::Value Destroy(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptDestroyKeyslot";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const int keyslot = ToSlot(info[1], {kName, "keyslot"});
    return RunVoidJob(info.Env(), kName, [path, keyslot] {
      CryptDevice device(path, CryptDevice::Use::kChange);
      device.RequireHeader();
      device.Check(crypt_keyslot_destroy(device.get(), keyslot), "crypt_keyslot_destroy",
                   "keyslot " + std::to_string(keyslot));
    });
  });
}

int SetTokenJson(const std::string& path, int token, const char* json) {
  CryptDevice device(path, CryptDevice::Use::kChange);
  device.RequireHeader();
  return device.Check(crypt_token_json_set(device.get(), token, json), "crypt_token_json_set",
                      token == CRYPT_ANY_TOKEN ? "any token" : "token " + std::to_string(token));
}

Napi::Value SetToken(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptSetToken";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const int token = ToOptionalSlot(info[1], {kName, "token"});
    const ArgumentName name{kName, "json"};
    const std::string json = ToText(info[2], name, kMostTokenBytes);
    if (json.empty()) name.Refuse("it is empty");
    return RunJob<int>(
        info.Env(), kName, [path, token, json] { return SetTokenJson(path, token, json.c_str()); }, SlotToJs);
  });
}

Napi::Value RemoveToken(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptRemoveToken";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const int token = ToSlot(info[1], {kName, "token"});
    return RunVoidJob(info.Env(), kName, [path, token] { SetTokenJson(path, token, nullptr); });
  });
}

// What an unlock method opens, without activating anything.
Napi::Value Test(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptTest";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const std::shared_ptr<Unlock> unlock = Unlock::FromJs(info[1], {kName, "unlock"});
    return RunJob<int>(
        info.Env(), kName,
        [path, unlock] {
          unlock->Prepare();
          CryptDevice device(path, CryptDevice::Use::kRead);
          device.RequireHeader();
          const char* const call = "crypt_activate_by_passphrase";
          return unlock->Try(device, call, [&device](const Secret& passphrase, int keyslot) {
            return crypt_activate_by_passphrase(device.get(), nullptr, keyslot, passphrase.text(), passphrase.size(),
                                                0);
          });
        },
        SlotToJs);
  });
}

Napi::Value VolumeKey(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptVolumeKey";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const std::shared_ptr<Unlock> unlock = Unlock::FromJs(info[1], {kName, "unlock"});
    return RunJob<Secret>(
        info.Env(), kName,
        [path, unlock] {
          unlock->Prepare();
          CryptDevice device(path, CryptDevice::Use::kRead);
          device.RequireHeader();
          return std::move(unlock->Open(device).key);
        },
        [](Napi::Env env, Secret& key) -> Napi::Value { return VolumeKeyToJs(env, std::move(key)); });
  });
}

}  // namespace

void InitCryptKeyslots(Napi::Env env, Napi::Object exports) {
  exports.Set("cryptAddKeyslot", Napi::Function::New(env, Add, "cryptAddKeyslot"));
  exports.Set("cryptChangeKeyslot", Napi::Function::New(env, Change, "cryptChangeKeyslot"));
  exports.Set("cryptDestroyKeyslot", Napi::Function::New(env, Destroy, "cryptDestroyKeyslot"));
  exports.Set("cryptSetToken", Napi::Function::New(env, SetToken, "cryptSetToken"));
  exports.Set("cryptRemoveToken", Napi::Function::New(env, RemoveToken, "cryptRemoveToken"));
  exports.Set("cryptTest", Napi::Function::New(env, Test, "cryptTest"));
  exports.Set("cryptVolumeKey", Napi::Function::New(env, VolumeKey, "cryptVolumeKey"));
}

}  // namespace stratis
