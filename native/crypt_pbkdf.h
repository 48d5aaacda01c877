// KeyDerivation of src/native/crypt.ts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "convert.h"
#include "crypt_device.h"

namespace stratis {

// The cost of opening a keyslot. Without, the library measures what the machine can do.
struct KeyDerivation {
  std::string type;
  std::string hash;
  uint32_t iterations = 0;
  uint32_t memoryKiB = 0;
  uint32_t threads = 0;
};

// The member "pbkdf". Main thread only.
std::optional<KeyDerivation> ReadKeyDerivation(const ObjectReader& options);
// For all keyslots and digests that this context makes.
void SetKeyDerivation(const CryptDevice& device, const std::optional<KeyDerivation>& derivation);

}  // namespace stratis
