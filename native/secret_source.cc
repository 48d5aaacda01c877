#include "secret_source.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "keyring.h"

namespace stratis {

namespace {

constexpr uint32_t kLongestTimeoutMs = 600000;
constexpr uint32_t kUsualTimeoutMs = 10000;
// The kernel's limit is a page with the terminating NUL.
constexpr size_t kLongestDescription = 4095;

[[noreturn]] void RefuseLength(const std::string& source, size_t most) {
  throw NativeError(EMSGSIZE, "read", source, "it holds more than " + std::to_string(most) + " bytes");
}

}  // namespace

std::string ToKeyDescription(const Napi::Value& value, const ArgumentName& name) {
  std::string description = ToText(value, name, kLongestDescription);
  if (description.empty()) name.Refuse("it is empty");
  return description;
}

Secret PersistentKey(const std::string& description) {
  std::optional<Secret> key = ReadKey(PersistentKeyring(), description);
  if (!key) throw NativeError(ENOKEY, "KEYCTL_SEARCH", "the key '" + description + "' in root's persistent keyring");
  return std::move(*key);
}

std::shared_ptr<SecretSource> SecretSource::FromJs(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  if (int{reader.Has("keyDescription")} + int{reader.Has("fd")} + int{reader.Has("passphrase")} != 1)
    name.Refuse("it has not exactly one of keyDescription, fd and passphrase");
  auto source = std::make_shared<SecretSource>();
  if (reader.Has("keyDescription")) {
    source->description_ = ToKeyDescription(reader.Get("keyDescription"), reader.Name("keyDescription"));
    return source;
  }
  if (reader.Has("fd")) {
    const int given = static_cast<int>(ToUint32(reader.Get("fd"), reader.Name("fd"), INT32_MAX));
    source->timeout_ms_ = static_cast<int>(reader.OptionalUint32("timeoutMs", kUsualTimeoutMs, kLongestTimeoutMs));
    source->fd_.reset(fcntl(given, F_DUPFD_CLOEXEC, 3));
    if (!source->fd_) throw NativeError(errno, "fcntl", "file descriptor " + std::to_string(given));
    return source;
  }
  const auto [bytes, length] = ToBytes(reader.Get("passphrase"), reader.Name("passphrase"));
  if (length == 0) reader.Name("passphrase").Refuse("it is empty");
  if (length > kMostPassphraseBytes)
    reader.Name("passphrase")
        .Refuse("it has " + std::to_string(length) + " bytes, at most " + std::to_string(kMostPassphraseBytes) +
                " are allowed");
  source->bytes_ = Secret(bytes, length);
  return source;
}

Secret SecretSource::TakeFromDescriptor() {
  Secret secret = ReadSecret(fd_.get(), kMostKeyBytes, timeout_ms_);
  fd_.reset();
  if (secret.size() > kMostKeyBytes) RefuseLength("the descriptor of the key", kMostKeyBytes);
  if (secret.empty()) throw NativeError(EINVAL, "read", "the descriptor of the key", "it holds nothing");
  return secret;
}

Secret SecretSource::Take() {
  if (description_) return PersistentKey(*description_);
  if (fd_) return TakeFromDescriptor();
  return std::move(bytes_);
}

}  // namespace stratis
