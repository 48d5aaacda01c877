// How a LUKS2 device is unlocked: CryptUnlock of src/native/crypt.ts.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "convert.h"
#include "crypt_device.h"
#include "secret.h"
#include "secret_source.h"

namespace stratis {

// LUKS2 has this many keyslots and as many tokens.
constexpr uint32_t kMostSlots = 32;

struct UnlockedKey {
  int keyslot = CRYPT_ANY_SLOT;
  Secret key;
};

class Unlock {
 public:
  // { token: number | "any" } or { passphrase | fd | keyDescription, keyslot? }. Main thread only; throws NativeError
  // with EINVAL.
  static std::shared_ptr<Unlock> FromJs(const Napi::Value& value, const ArgumentName& name);
  // Also { volumeKey }: there is nothing to derive then.
  static std::shared_ptr<Unlock> OrVolumeKeyFromJs(const Napi::Value& value, const ArgumentName& name);

  // Reads the secret, if there is one to read. Before the turn, since it may take time.
  void Prepare();

  // Tries what there is until one passphrase fits: `attempt` gets it with the keyslot that it is for and returns what
  // libcryptsetup's `call` said. Returns its result. Throws NativeError when none fits: EPERM when a passphrase was
  // wrong, else what kept the tokens' keys from being read, ENOENT without a token to try, EINVAL for a volume key.
  using Attempt = std::function<int(const Secret& passphrase, int keyslot)>;
  int Try(const CryptDevice& device, const char* call, const Attempt& attempt) const;

  // The volume key, which the header knows. CRYPT_ANY_SLOT when it was given as such; EPERM when it is another one.
  UnlockedKey Open(const CryptDevice& device) const;

 private:
  int TryTokens(const CryptDevice& device, const char* call, const Attempt& attempt) const;

  std::shared_ptr<const Secret> volumeKey_;
  std::shared_ptr<SecretSource> source_;
  Secret passphrase_;
  int keyslot_ = CRYPT_ANY_SLOT;
  int token_ = CRYPT_ANY_TOKEN;
};

// A slot's number; null or nothing: CRYPT_ANY_SLOT or CRYPT_ANY_TOKEN, which are the same.
int OptionalSlot(const ObjectReader& reader, const char* member);
int ToSlot(const Napi::Value& value, const ArgumentName& name);
int ToOptionalSlot(const Napi::Value& value, const ArgumentName& name);
std::string ToDevicePath(const Napi::Value& value, const char* function);

}  // namespace stratis
