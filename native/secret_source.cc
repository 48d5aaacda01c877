#include "secret_source.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>

#include "keyring.h"
#include "secret_handle.h"

namespace stratis {

namespace {

constexpr const char* kDescriptor = "the descriptor of the key";
constexpr uint32_t kLongestTimeoutMs = 600000;
constexpr uint32_t kUsualTimeoutMs = 10000;
// The kernel's limit is a page with the terminating NUL.
constexpr size_t kLongestDescription = 4095;

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

Secret ReadKeyFrom(int fd, int timeout_ms) {
  Secret secret = ReadSecret(fd, kMostKeyBytes, timeout_ms);
  if (secret.size() > kMostKeyBytes)
    throw NativeError(EMSGSIZE, "read", kDescriptor, "it holds more than " + std::to_string(kMostKeyBytes) + " bytes");
  return secret;
}

std::shared_ptr<SecretSource> SecretSource::FromJs(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  int given_sources = 0;
  for (const char* member : kSecretMembers) given_sources += int{reader.Has(member)};
  if (given_sources != 1) name.Refuse("it has not exactly one of keyDescription, fd, secret and passphrase");
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
  if (reader.Has("secret")) {
    source->shared_ = ToSecret(reader.Get("secret"), reader.Name("secret"));
    if (source->shared_->empty()) reader.Name("secret").Refuse("it is empty");
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
  Secret secret = ReadKeyFrom(fd_.get(), timeout_ms_);
  fd_.reset();
  if (secret.empty()) throw NativeError(EINVAL, "read", kDescriptor, "it holds nothing");
  return secret;
}

Secret SecretSource::Take() {
  if (description_) return PersistentKey(*description_);
  if (fd_) return TakeFromDescriptor();
  if (shared_ != nullptr) return shared_->Copy();
  return std::move(bytes_);
}

}  // namespace stratis
