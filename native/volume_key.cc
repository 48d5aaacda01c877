#include "volume_key.h"

#include <utility>

#include "module.h"
#include "promise.h"
#include "secret_handle.h"

namespace stratis {

namespace {

// Drawn at random once.
constexpr SecretKind kVolumeKey = {"VolumeKey.wipe", "a volume key", {0x5f1c1c2e7b9d4a06, 0x9a3de2b1c04f8e75}};

Napi::Value Generate(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptGenerateVolumeKey";
  return Promised(info.Env(), kName, [&] {
    const ArgumentName name{kName, "bytes"};
    const uint32_t bytes =
        info[0].IsUndefined() ? kUsualVolumeKeyBytes : ToUint32(info[0], name, kMostVolumeKeyBytes);
    if (bytes == 0) name.Refuse("it is zero");
    return RunJob<Secret>(
        info.Env(), kName, [bytes] { return RandomSecret(bytes); },
        [](Napi::Env env, Secret& key) -> Napi::Value { return VolumeKeyToJs(env, std::move(key)); });
  });
}

}  // namespace

Napi::Object VolumeKeyToJs(Napi::Env env, Secret key) {
  return MakeHandle(env, kVolumeKey, std::make_shared<const Secret>(std::move(key)));
}

std::shared_ptr<const Secret> ToVolumeKey(const Napi::Value& value, const ArgumentName& name) {
  return FromHandle(value, kVolumeKey, name);
}

void InitVolumeKey(Napi::Env env, Napi::Object exports) {
  exports.Set("cryptGenerateVolumeKey", Napi::Function::New(env, Generate, "cryptGenerateVolumeKey"));
}

}  // namespace stratis
