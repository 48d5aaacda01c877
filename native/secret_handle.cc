#include "secret_handle.h"

#include <fcntl.h>

#include <cerrno>
#include <string>
#include <utility>

#include "errors.h"
#include "module.h"
#include "promise.h"
#include "secret_source.h"
#include "unique_fd.h"

namespace stratis {

namespace {

using Handle = std::shared_ptr<const Secret>;

// Drawn at random once.
constexpr SecretKind kPassphrase = {"Secret.wipe", "a secret", {0x1d8f0b6b54c1e37a, 0xc2476fd0aa9be518}};
constexpr uint32_t kLongestTimeoutMs = 600000;
// What Clevis, which reads lines, and every terminal can take.
constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr uint8_t kLetterCount = sizeof kLetters - 1;

void FreeHandle(napi_env, void* data, void*) { delete static_cast<Handle*>(data); }

Handle* Unwrap(const Napi::Value& value, const SecretKind& kind) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kind.tag)) return nullptr;
  void* data = nullptr;
  if (napi_unwrap(value.Env(), value, &data) != napi_ok) return nullptr;
  return static_cast<Handle*>(data);
}

Napi::Value Share(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), "Secret.share", [&]() -> Napi::Value {
    return SecretToJs(info.Env(), ToSecret(info.This(), {"Secret.share", "this"}));
  });
}

Napi::Value Equals(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "Secret.equals";
  return Guarded(info.Env(), kName, [&]() -> Napi::Value {
    const bool equal = ToSecret(info.This(), {kName, "this"})->Equals(*ToSecret(info[0], {kName, "other"}));
    return Napi::Boolean::New(info.Env(), equal);
  });
}

// What a descriptor delivers.
Napi::Value Read(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "readSecret";
  return Promised(info.Env(), kName, [&]() -> Napi::Value {
    const int given = static_cast<int>(ToUint32(info[0], {kName, "fd"}, INT32_MAX));
    const int timeout_ms = static_cast<int>(ToUint32(info[1], {kName, "timeoutMs"}, kLongestTimeoutMs));
    // Its own copy: the caller may close the descriptor while the job runs.
    const auto fd = std::make_shared<UniqueFd>(fcntl(given, F_DUPFD_CLOEXEC, 3));
    if (!*fd) throw NativeError(errno, "fcntl", "file descriptor " + std::to_string(given));
    return RunJob<Secret>(
        info.Env(), kName,
        [fd, timeout_ms] { return ReadKeyFrom(fd->get(), timeout_ms); },
        [](Napi::Env env, Secret& secret) -> Napi::Value {
          return SecretToJs(env, std::make_shared<const Secret>(std::move(secret)));
        });
  });
}

Napi::Value From(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "secretFrom";
  return Guarded(info.Env(), kName, [&]() -> Napi::Value {
    const ArgumentName name{kName, "bytes"};
    const auto [bytes, length] = ToBytes(info[0], name);
    if (length > kMostPassphraseBytes) name.Refuse("it has " + std::to_string(length) + " bytes");
    return SecretToJs(info.Env(), std::make_shared<const Secret>(bytes, length));
  });
}

Napi::Value Random(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "randomPassphrase";
  return Guarded(info.Env(), kName, [&]() -> Napi::Value {
    const ArgumentName name{kName, "length"};
    const uint32_t length = ToUint32(info[0], name, kMostPassphraseBytes);
    if (length == 0) name.Refuse("it is zero");
    Secret letters(length);
    for (uint32_t done = 0; done < length;) {
      const Secret drawn = RandomSecret(length);
      for (uint32_t i = 0; i < length && done < length; i++) {
        // Of six bits, those that stand for a letter: each is as likely as the others.
        const uint8_t number = drawn.data()[i] & 0x3f;
        if (number < kLetterCount) letters.data()[done++] = static_cast<uint8_t>(kLetters[number]);
      }
    }
    return SecretToJs(info.Env(), std::make_shared<const Secret>(std::move(letters)));
  });
}

}  // namespace

Napi::Object MakeHandle(Napi::Env env, const SecretKind& kind, std::shared_ptr<const Secret> secret) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("bytes", Napi::Number::New(env, static_cast<double>(secret->size())));
  auto handle = std::make_unique<Handle>(std::move(secret));
  if (napi_wrap(env, object, handle.get(), FreeHandle, nullptr, nullptr) != napi_ok)
    throw NativeError(EIO, "napi_wrap", kind.what);
  handle.release();
  object.TypeTag(&kind.tag);
  auto wipe = [&kind](const Napi::CallbackInfo& call) {
    Guarded(call.Env(), kind.wipe, [&] {
      Handle* const own = Unwrap(call.This(), kind);
      if (own == nullptr) throw InvalidArgument(kind.wipe, "this", std::string("it is not ") + kind.what);
      // Twice is harmless: owners wipe in the clean-up of failures too.
      own->reset();
    });
  };
  object.Set("wipe", Napi::Function::New(env, wipe, "wipe"));
  return object;
}

std::shared_ptr<const Secret> FromHandle(const Napi::Value& value, const SecretKind& kind, const ArgumentName& name) {
  const Handle* const handle = Unwrap(value, kind);
  if (handle == nullptr) name.Refuse(std::string("it is not ") + kind.what);
  if (*handle == nullptr) name.Refuse("it was wiped");
  return *handle;
}

bool IsHandle(const Napi::Value& value, const SecretKind& kind) { return Unwrap(value, kind) != nullptr; }

Napi::Object SecretToJs(Napi::Env env, std::shared_ptr<const Secret> secret) {
  Napi::Object object = MakeHandle(env, kPassphrase, std::move(secret));
  object.Set("share", Napi::Function::New(env, Share, "share"));
  object.Set("equals", Napi::Function::New(env, Equals, "equals"));
  return object;
}

std::shared_ptr<const Secret> ToSecret(const Napi::Value& value, const ArgumentName& name) {
  return FromHandle(value, kPassphrase, name);
}

bool IsSecret(const Napi::Value& value) { return IsHandle(value, kPassphrase); }

void InitSecret(Napi::Env env, Napi::Object exports) {
  exports.Set("readSecret", Napi::Function::New(env, Read, "readSecret"));
  exports.Set("secretFrom", Napi::Function::New(env, From, "secretFrom"));
  exports.Set("randomPassphrase", Napi::Function::New(env, Random, "randomPassphrase"));
}

}  // namespace stratis
