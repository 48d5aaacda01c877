// Encryption, re-encryption and decryption in place.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "convert.h"
#include "crypt_device.h"
#include "crypt_unlock.h"

namespace stratis {

// What of both phases are: CryptReencryptOptions of src/native/crypt.ts.
struct ReencryptRequest {
  std::string path;
  std::optional<std::string> activeName;  // of the mapping; without: nobody uses the device
  std::shared_ptr<Unlock> unlock;
  std::string resilience;
  std::string hash;
  uint64_t mostHotzoneSectors = 0;  // 0: the library chooses
  std::optional<uint32_t> mostPieces;  // of this run

  // Main thread only; throws NativeError with EINVAL.
  void Read(const Napi::Value& path, const Napi::Value& options, const char* function);
};

struct ReencryptBegin {
  ReencryptRequest request;
  crypt_reencrypt_mode_info mode = CRYPT_REENCRYPT_REENCRYPT;
  int oldKeyslot = CRYPT_ANY_SLOT;
  int newKeyslot = CRYPT_ANY_SLOT;
  std::string cipher;
  std::string cipherMode;
  uint32_t sectorSize = 0;
  bool initializeOnly = false;
};

// Writes into the header what is to be done. Throws NativeError.
void BeginReencryption(const ReencryptBegin& begin);

// Does what was begun, from where it was left, a piece at a time. `progress` gets bytes that are done and bytes in all
// between two pieces and returns whether to go on. True: nothing is left to do. Throws NativeError.
using Progress = std::function<bool(uint64_t done, uint64_t total)>;
bool RunReencryption(const ReencryptRequest& request, const Progress& progress);

}  // namespace stratis
