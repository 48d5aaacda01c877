#include "volume_key.h"

#include <sys/random.h>

#include <cerrno>
#include <utility>

#include "errors.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

// Tells handles from objects of others; drawn at random once.
constexpr napi_type_tag kTag = {0x5f1c1c2e7b9d4a06, 0x9a3de2b1c04f8e75};

using Handle = std::shared_ptr<const Secret>;

void CheckNapi(napi_status status, const char* call) {
  if (status != napi_ok) throw NativeError(EIO, call, "a volume key");
}

void FreeHandle(napi_env, void* data, void*) { delete static_cast<Handle*>(data); }

Handle* Unwrap(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) return nullptr;
  void* data = nullptr;
  if (napi_unwrap(value.Env(), value, &data) != napi_ok) return nullptr;
  return static_cast<Handle*>(data);
}

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

Secret RandomSecret(size_t bytes) {
  Secret secret(bytes);
  for (size_t done = 0; done < bytes;) {
    const ssize_t length = getrandom(secret.data() + done, bytes - done, 0);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) throw NativeError(errno, "getrandom", "a volume key");
    done += static_cast<size_t>(length);
  }
  return secret;
}

Napi::Object VolumeKeyToJs(Napi::Env env, Secret key) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("bytes", Napi::Number::New(env, static_cast<double>(key.size())));
  auto handle = std::make_unique<Handle>(std::make_shared<const Secret>(std::move(key)));
  Handle* const shared = handle.get();
  CheckNapi(napi_wrap(env, object, shared, FreeHandle, nullptr, nullptr), "napi_wrap");
  handle.release();
  object.TypeTag(&kTag);
  auto wipe = [](const Napi::CallbackInfo& call) {
    Guarded(call.Env(), "VolumeKey.wipe", [&] {
      Handle* const own = Unwrap(call.This());
      if (own == nullptr) throw InvalidArgument("VolumeKey.wipe", "this", "it is not a volume key");
      // Twice is harmless: owners wipe in the clean-up of failures too.
      own->reset();
    });
  };
  object.Set("wipe", Napi::Function::New(env, wipe, "wipe"));
  return object;
}

std::shared_ptr<const Secret> ToVolumeKey(const Napi::Value& value, const ArgumentName& name) {
  const Handle* const handle = Unwrap(value);
  if (handle == nullptr) name.Refuse("it is not a volume key");
  if (*handle == nullptr) name.Refuse("the volume key was wiped");
  return *handle;
}

void InitVolumeKey(Napi::Env env, Napi::Object exports) {
  exports.Set("cryptGenerateVolumeKey", Napi::Function::New(env, Generate, "cryptGenerateVolumeKey"));
}

}  // namespace stratis
