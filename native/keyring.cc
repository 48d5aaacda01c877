#include "keyring.h"

#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "errors.h"

namespace stratis {

namespace {

constexpr const char* kKeyType = "user";
// View, read, write, search, link and setattr for the user id that owns the key (KEY_USR_ALL of the kernel), and the
// same for whoever possesses it (KEY_POS_ALL).
constexpr uint32_t kOwnerOnly = 0x003f0000;
constexpr uint32_t kOwnerAndPossessor = 0x3f3f0000;

// The operations of keyctl(2) take up to four words each.
long Keyctl(int operation, unsigned long second = 0, unsigned long third = 0, unsigned long fourth = 0,
            unsigned long fifth = 0) {
  return syscall(SYS_keyctl, static_cast<long>(operation), second, third, fourth, fifth);
}

unsigned long Word(const void* pointer) { return reinterpret_cast<unsigned long>(pointer); }
unsigned long Word(int32_t serial) { return static_cast<unsigned long>(static_cast<long>(serial)); }

std::string KeyName(const Keyring& keyring, const std::string& description) {
  return "the key '" + description + "' in " + keyring.name;
}

std::optional<int32_t> FindKey(const Keyring& keyring, const std::string& description) {
  const long serial = Keyctl(KEYCTL_SEARCH, Word(keyring.serial), Word(kKeyType), Word(description.c_str()), 0);
  if (serial >= 0) return static_cast<int32_t>(serial);
  if (errno == ENOKEY) return std::nullopt;
  throw NativeError(errno, "KEYCTL_SEARCH", KeyName(keyring, description));
}

Secret ReadSerial(int32_t serial, const std::string& name) {
  Secret secret(kMostKeyBytes);
  const long length = Keyctl(KEYCTL_READ, Word(serial), Word(secret.data()), secret.size());
  if (length < 0) throw NativeError(errno, "KEYCTL_READ", name);
  if (static_cast<size_t>(length) > secret.size())
    throw NativeError(EMSGSIZE, "KEYCTL_READ", name,
                      "it has " + std::to_string(length) + " bytes, at most " + std::to_string(kMostKeyBytes) +
                          " are allowed");
  secret.Shorten(static_cast<size_t>(length));
  return secret;
}

void AddKey(const Keyring& keyring, const std::string& description, const Secret& secret) {
  const std::string name = KeyName(keyring, description);
  const long serial = syscall(SYS_add_key, kKeyType, description.c_str(), secret.data(), secret.size(),
                              static_cast<long>(keyring.serial));
  if (serial < 0) throw NativeError(errno, "add_key", name);
  if (Keyctl(KEYCTL_SETPERM, Word(static_cast<int32_t>(serial)), kOwnerOnly) == 0) return;
  const int failure = errno;
  // A key that others may read is worse than none.
  const bool unlinked = Keyctl(KEYCTL_UNLINK, Word(static_cast<int32_t>(serial)), Word(keyring.serial)) == 0;
  throw NativeError(failure, "KEYCTL_SETPERM", name,
                    unlinked ? "" : "and it could not be removed either: " + ErrnoName(errno));
}

std::vector<int32_t> Serials(const Keyring& keyring) {
  std::vector<int32_t> serials(64);
  for (;;) {
    const size_t room = serials.size() * sizeof(int32_t);
    const long length = Keyctl(KEYCTL_READ, Word(keyring.serial), Word(serials.data()), room);
    if (length < 0) throw NativeError(errno, "KEYCTL_READ", keyring.name);
    const size_t count = static_cast<size_t>(length) / sizeof(int32_t);
    const bool complete = static_cast<size_t>(length) <= room;
    serials.resize(count);
    if (complete) return serials;
  }
}

// "type;uid;gid;permissions;description". Nothing for a key that has gone, expired or may not be looked at: a list is
// of what can be used.
std::optional<std::string> Describe(int32_t serial) {
  std::string text(4096 + 128, '\0');
  const long length = Keyctl(KEYCTL_DESCRIBE, Word(serial), Word(text.data()), text.size());
  if (length <= 0 || static_cast<size_t>(length) > text.size()) return std::nullopt;
  text.resize(static_cast<size_t>(length) - 1);
  return text;
}

std::optional<std::string> UserKeyDescription(const std::string& described) {
  size_t start = described.find(';');
  if (start == std::string::npos || described.compare(0, start, kKeyType) != 0) return std::nullopt;
  for (int field = 0; field < 3; field++) {
    start = described.find(';', start + 1);
    if (start == std::string::npos) return std::nullopt;
  }
  return described.substr(start + 1);
}

struct VolumeKeyringState {
  std::once_flag once;
  long serial = -1;
  int failure = 0;
  const char* failed = "";
};

VolumeKeyringState& VolumeState() {
  static VolumeKeyringState state;
  return state;
}

// Whether this thread's own keyring links that of the process.
bool& VolumeKeyringLinked() {
  thread_local bool linked = false;
  return linked;
}

}  // namespace

Keyring PersistentKeyring() {
  const char* name = "root's persistent keyring";
  const long serial = Keyctl(KEYCTL_GET_PERSISTENT, 0, Word(int32_t{KEY_SPEC_SESSION_KEYRING}));
  if (serial < 0) throw NativeError(errno, "KEYCTL_GET_PERSISTENT", name);
  return {static_cast<int32_t>(serial), name};
}

void MakeVolumeKeyring() {
  VolumeKeyringState& state = VolumeState();
  std::call_once(state.once, [&state] {
    const long serial = Keyctl(KEYCTL_GET_KEYRING_ID, Word(int32_t{KEY_SPEC_PROCESS_KEYRING}), 1);
    state.failure = errno;
    state.failed = "KEYCTL_GET_KEYRING_ID";
    if (serial < 0) return;
    // A process keyring belongs to the thread that made it and to threads made by that one. So that all others can
    // link it, the right to do so goes to the user id.
    const bool permitted = Keyctl(KEYCTL_SETPERM, Word(static_cast<int32_t>(serial)), kOwnerAndPossessor) == 0;
    state.failure = errno;
    state.failed = "KEYCTL_SETPERM";
    if (permitted) state.serial = serial;
  });
}

Keyring VolumeKeyring() {
  const char* name = "the process's keyring";
  const VolumeKeyringState& state = VolumeState();
  if (state.serial < 0) throw NativeError(state.failure, state.failed, name);
  const Keyring keyring = {static_cast<int32_t>(state.serial), name};
  // With the link this thread possesses the keys that it adds, without which it couldn't set their permissions.
  bool& linked = VolumeKeyringLinked();
  if (!linked && Keyctl(KEYCTL_LINK, Word(keyring.serial), Word(int32_t{KEY_SPEC_THREAD_KEYRING})) != 0)
    throw NativeError(errno, "KEYCTL_LINK", name);
  linked = true;
  return keyring;
}

void ForgetThreadKeys() {
  VolumeKeyringLinked() = false;
  // It fails where the kernel has no keyrings, and then there is nothing to forget.
  (void)Keyctl(KEYCTL_CLEAR, Word(int32_t{KEY_SPEC_THREAD_KEYRING}));
}

bool HasKey(const Keyring& keyring, const std::string& description) {
  return FindKey(keyring, description).has_value();
}

std::optional<Secret> ReadKey(const Keyring& keyring, const std::string& description) {
  const std::optional<int32_t> serial = FindKey(keyring, description);
  if (!serial) return std::nullopt;
  return ReadSerial(*serial, KeyName(keyring, description));
}

KeyChange SetKey(const Keyring& keyring, const std::string& description, const Secret& secret) {
  const std::string name = KeyName(keyring, description);
  if (secret.empty()) throw NativeError(EINVAL, "add_key", name, "the key is empty");
  if (secret.size() > kMostKeyBytes)
    throw NativeError(EMSGSIZE, "add_key", name,
                      "the key has more than " + std::to_string(kMostKeyBytes) + " bytes");
  // Two calls for the same description must not both find that there is none.
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  const std::optional<int32_t> serial = FindKey(keyring, description);
  if (!serial) {
    AddKey(keyring, description, secret);
    return KeyChange::kCreated;
  }
  if (ReadSerial(*serial, name).Equals(secret)) return KeyChange::kIdentity;
  if (Keyctl(KEYCTL_UPDATE, Word(*serial), Word(secret.data()), secret.size()) != 0)
    throw NativeError(errno, "KEYCTL_UPDATE", name);
  return KeyChange::kValueChanged;
}

bool UnsetKey(const Keyring& keyring, const std::string& description) {
  const std::optional<int32_t> serial = FindKey(keyring, description);
  if (!serial) return false;
  if (Keyctl(KEYCTL_UNLINK, Word(*serial), Word(keyring.serial)) == 0) return true;
  // Somebody else was faster.
  if (errno == ENOENT || errno == ENOKEY) return false;
  throw NativeError(errno, "KEYCTL_UNLINK", KeyName(keyring, description));
}

std::vector<std::string> ListKeys(const Keyring& keyring, const std::string& prefix) {
  std::vector<std::string> descriptions;
  for (const int32_t serial : Serials(keyring)) {
    const std::optional<std::string> described = Describe(serial);
    if (!described) continue;
    std::optional<std::string> description = UserKeyDescription(*described);
    if (!description || description->size() <= prefix.size() || description->compare(0, prefix.size(), prefix) != 0)
      continue;
    descriptions.push_back(std::move(*description));
  }
  return descriptions;
}

}  // namespace stratis
