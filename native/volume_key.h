// VolumeKey of src/native/crypt.ts: an opaque handle on the key that encrypts the data.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "convert.h"
#include "secret.h"

namespace stratis {

// AES-256 in XTS mode, as all of Stratis's.
constexpr uint32_t kUsualVolumeKeyBytes = 64;
constexpr uint32_t kMostVolumeKeyBytes = 512;

// Main thread only.
Napi::Object VolumeKeyToJs(Napi::Env env, Secret key);
// See FromHandle.
std::shared_ptr<const Secret> ToVolumeKey(const Napi::Value& value, const ArgumentName& name);

}  // namespace stratis
