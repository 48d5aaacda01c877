// Where a passphrase comes from: PassphraseSource of src/native/crypt.ts.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>

#include "convert.h"
#include "secret.h"
#include "unique_fd.h"

namespace stratis {

// More than any program makes for Clevis, and what cryptsetup itself asks for at most.
constexpr size_t kMostPassphraseBytes = 512;

// Members of the objects that FromJs takes.
constexpr const char* kSecretMembers[] = {"keyDescription", "fd", "secret", "passphrase"};

class SecretSource {
 public:
  // { keyDescription } | { fd, timeoutMs? } | { secret } | { passphrase }. A descriptor is duplicated, a handle shared
  // and bytes are copied at once, so that the caller may close and wipe its own. Main thread only; throws NativeError with EINVAL.
  static std::shared_ptr<SecretSource> FromJs(const Napi::Value& value, const ArgumentName& name);

  // On the thread of a job, once. Throws NativeError: ENOKEY when there is no such key, EMSGSIZE for too many bytes,
  // EINVAL for none.
  Secret Take();
  // The key's description in root's persistent keyring, where that is the source.
  const std::optional<std::string>& key_description() const { return description_; }

 private:
  Secret TakeFromDescriptor();

  std::optional<std::string> description_;
  UniqueFd fd_;
  int timeout_ms_ = 0;
  std::shared_ptr<const Secret> shared_;
  Secret bytes_;
};

// What a descriptor delivers, which may be nothing; EMSGSIZE for more than kMostKeyBytes, ETIMEDOUT as ReadSecret.
Secret ReadKeyFrom(int fd, int timeout_ms);

// The key of root's persistent keyring; ENOKEY when there is none.
Secret PersistentKey(const std::string& description);

// A description as the kernel takes it: not empty, without NUL, of limited length.
std::string ToKeyDescription(const Napi::Value& value, const ArgumentName& name);

}  // namespace stratis
