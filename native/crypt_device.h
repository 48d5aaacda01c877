// libcryptsetup, one call of JavaScript at a time. Everything here is for the threads of jobs.
#pragma once

#include <cstdint>
#include <string>

#include "crypt_library.h"

namespace stratis {

// The right to call libcryptsetup. It and libdevmapper below it keep state of their own and are not safe to use from
// two threads, even on different devices. Turns are taken in the order of asking.
class CryptTurn {
 public:
  CryptTurn();
  ~CryptTurn();
  CryptTurn(const CryptTurn&) = delete;
  CryptTurn& operator=(const CryptTurn&) = delete;

  // Between two steps of a long operation: lets those who wait go first.
  static void Yield();
};

// What is open by other means than its path is the same device all the same.
struct DeviceIdentity {
  bool is_block = false;
  uint64_t device = 0;
  uint64_t inode = 0;
  bool operator<(const DeviceIdentity& other) const;
};

// Marks a device as being re-encrypted, for as long as it lives. Throws NativeError with EBUSY when it is marked.
class ReencryptionMark {
 public:
  explicit ReencryptionMark(const std::string& path);
  ~ReencryptionMark();
  ReencryptionMark(const ReencryptionMark&) = delete;
  ReencryptionMark& operator=(const ReencryptionMark&) = delete;

 private:
  DeviceIdentity identity_;
};

// A context of libcryptsetup: for one operation, with the turn.
class CryptDevice {
 public:
  enum class Use {
    kRead,
    // Refused with EBUSY while the device is being re-encrypted: the re-encryption holds the header in its memory.
    kChange,
    // By the re-encryption itself.
    kReencrypt,
  };

  // Throws NativeError, as all of its functions.
  CryptDevice(const std::string& path, Use use);
  ~CryptDevice();
  CryptDevice(const CryptDevice&) = delete;
  CryptDevice& operator=(const CryptDevice&) = delete;

  // False: there is no LUKS2 header.
  bool Load();
  // ENODATA when there is no LUKS2 header.
  void RequireHeader();

  crypt_device* get() const { return context_; }
  const std::string& path() const { return path_; }
  // Whether a re-encryption, encryption or decryption in place was begun and is not finished.
  bool ReencryptionPending() const;

  // Gives back what a call returned, or throws what it failed with. `detail` goes before what the library said.
  int Check(int result, const char* call, const std::string& detail = "") const;

 private:
  CryptTurn turn_;
  std::string path_;
  crypt_device* context_ = nullptr;
};

// The same for calls without a context.
int CheckCrypt(int result, const char* call, const std::string& target, const std::string& detail = "");

}  // namespace stratis
