// Secrets in the hands of JavaScript: opaque handles, behind which the bytes stay in locked memory. Main thread only.
#pragma once

#include <napi.h>

#include <memory>

#include "convert.h"
#include "secret.h"

namespace stratis {

// A kind of handle: tells it from others, and from objects of others.
struct SecretKind {
  const char* wipe;  // the method's full name
  const char* what;  // for messages
  napi_type_tag tag;
};

// An object with `bytes` and `wipe`.
Napi::Object MakeHandle(Napi::Env env, const SecretKind& kind, std::shared_ptr<const Secret> secret);
// Keeps the secret in memory for as long as the result lives, also when JavaScript wipes its handle. Refuses anything
// but a handle of the kind that was not wiped.
std::shared_ptr<const Secret> FromHandle(const Napi::Value& value, const SecretKind& kind, const ArgumentName& name);
bool IsHandle(const Napi::Value& value, const SecretKind& kind);

// Secret of src/native/crypt.ts: a passphrase.
Napi::Object SecretToJs(Napi::Env env, std::shared_ptr<const Secret> secret);
std::shared_ptr<const Secret> ToSecret(const Napi::Value& value, const ArgumentName& name);
bool IsSecret(const Napi::Value& value);

}  // namespace stratis
