// The keyring functions of src/native/crypt.ts.
#include <memory>
#include <string>
#include <vector>

#include "convert.h"
#include "keyring.h"
#include "module.h"
#include "promise.h"
#include "secret_source.h"

namespace stratis {

namespace {

using OpenKeyring = Keyring (*)();

const char* ChangeName(KeyChange change) {
  switch (change) {
    case KeyChange::kCreated:
      return "created";
    case KeyChange::kValueChanged:
      return "valueChanged";
    case KeyChange::kIdentity:
      break;
  }
  return "identity";
}

Napi::Value BoolToJs(Napi::Env env, bool& value) { return Napi::Boolean::New(env, value); }

Napi::Value Set(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "keyringSet";
  return Promised(info.Env(), kName, [&] {
    const std::string description = ToKeyDescription(info[0], {kName, "description"});
    const ArgumentName name{kName, "source"};
    const std::shared_ptr<SecretSource> source = SecretSource::FromJs(info[1], name);
    if (source->key_description()) name.Refuse("it is a key of the same keyring");
    return RunJob<KeyChange>(
        info.Env(), kName,
        [description, source] {
          const Secret secret = source->Take();
          return SetKey(PersistentKeyring(), description, secret);
        },
        [](Napi::Env env, KeyChange& change) -> Napi::Value { return Napi::String::New(env, ChangeName(change)); });
  });
}

// A question about, or the end of, one key.
template <bool (*operation)(const Keyring&, const std::string&)>
Napi::Value OnKey(const Napi::CallbackInfo& info, const char* name, OpenKeyring open) {
  return Promised(info.Env(), name, [&] {
    const std::string description = ToKeyDescription(info[0], {name, "description"});
    return RunJob<bool>(info.Env(), name, [description, open] { return operation(open(), description); }, BoolToJs);
  });
}

Napi::Value Unset(const Napi::CallbackInfo& info) { return OnKey<UnsetKey>(info, "keyringUnset", PersistentKeyring); }
Napi::Value Has(const Napi::CallbackInfo& info) { return OnKey<HasKey>(info, "keyringHas", PersistentKeyring); }
Napi::Value VolumeHas(const Napi::CallbackInfo& info) { return OnKey<HasKey>(info, "volumeKeyHas", VolumeKeyring); }
Napi::Value VolumeUnset(const Napi::CallbackInfo& info) {
  return OnKey<UnsetKey>(info, "volumeKeyUnset", VolumeKeyring);
}

Napi::Value List(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "keyringList";
  return Promised(info.Env(), kName, [&] {
    const std::string prefix = ToKeyDescription(info[0], {kName, "prefix"});
    return RunJob<std::vector<std::string>>(
        info.Env(), kName, [prefix] { return ListKeys(PersistentKeyring(), prefix); },
        [](Napi::Env env, std::vector<std::string>& descriptions) -> Napi::Value {
          Napi::Array array = Napi::Array::New(env, descriptions.size());
          for (uint32_t i = 0; i < descriptions.size(); i++) array.Set(i, descriptions[i]);
          return array;
        });
  });
}

}  // namespace

void InitKeyring(Napi::Env env, Napi::Object exports) {
  MakeVolumeKeyring();
  exports.Set("keyringSet", Napi::Function::New(env, Set, "keyringSet"));
  exports.Set("keyringUnset", Napi::Function::New(env, Unset, "keyringUnset"));
  exports.Set("keyringHas", Napi::Function::New(env, Has, "keyringHas"));
  exports.Set("keyringList", Napi::Function::New(env, List, "keyringList"));
  exports.Set("volumeKeyHas", Napi::Function::New(env, VolumeHas, "volumeKeyHas"));
  exports.Set("volumeKeyUnset", Napi::Function::New(env, VolumeUnset, "volumeKeyUnset"));
}

}  // namespace stratis
