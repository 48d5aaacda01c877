// Keys of type "user" in two keyrings of the kernel, by system calls: passphrases in root's persistent keyring, and
// volume keys of started pools in the keyring of this process. Every function throws NativeError. Descriptions are
// what the kernel shows, with their prefix.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "secret.h"

namespace stratis {

// Both kinds of key have at most this many bytes.
constexpr size_t kMostKeyBytes = 64;

struct Keyring {
  int32_t serial;
  const char* name;  // in messages
};

enum class KeyChange { kCreated, kValueChanged, kIdentity };

// The persistent keyring of user 0. Each call renews its expiry and links it to the session keyring of this thread,
// where programs that the thread starts look for keys.
Keyring PersistentKeyring();

// Makes the keyring of this process, once, and keeps the failure for VolumeKeyring to report. To be called on the main
// thread: it is seen by threads that are made afterwards, and VolumeKeyring serves those that were there before.
void MakeVolumeKeyring();
Keyring VolumeKeyring();

// Clears the keyring of this thread alone. VolumeKeyring then links again what it needs.
void ForgetThreadKeys();

bool HasKey(const Keyring& keyring, const std::string& description);
// Nothing when there is no such key. More than kMostKeyBytes is an error.
std::optional<Secret> ReadKey(const Keyring& keyring, const std::string& description);
// The owner's user id gets all rights to the key, nobody else any.
KeyChange SetKey(const Keyring& keyring, const std::string& description, const Secret& secret);
// Unlinks the key from this keyring alone. False: there was none.
bool UnsetKey(const Keyring& keyring, const std::string& description);
// Descriptions that begin with `prefix` and go on after it, in the order of the keyring.
std::vector<std::string> ListKeys(const Keyring& keyring, const std::string& prefix);

}  // namespace stratis
