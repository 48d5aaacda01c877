#include "crypt_unlock.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "volume_key.h"

namespace stratis {

namespace {

static_assert(CRYPT_ANY_SLOT == CRYPT_ANY_TOKEN, "one reader serves both");

constexpr const char* kKeyringToken = "luks2-keyring";

// What was tried in vain, for one error that tells it all.
class Failures {
 public:
  void Note(int token, int number, const std::string& why) {
    // A passphrase that does not fit says more than a key that is not there.
    if (number_ == 0 || number == EPERM) number_ = number;
    text_ += (text_.empty() ? "token " : "; token ") + std::to_string(token) + ": " + why;
  }
  int number() const { return number_ == 0 ? ENOENT : number_; }
  std::string text() const { return text_.empty() ? "no token of type luks2-keyring has a keyslot" : text_; }

 private:
  int number_ = 0;
  std::string text_;
};

// The description of the key of a luks2-keyring token. Nothing for a token of another type, or none.
std::optional<std::string> TokenKey(const CryptDevice& device, int token) {
  const char* type = nullptr;
  const crypt_token_info info = crypt_token_status(device.get(), token, &type);
  if (info == CRYPT_TOKEN_INVALID || info == CRYPT_TOKEN_INACTIVE || type == nullptr) return std::nullopt;
  if (std::strcmp(type, kKeyringToken) != 0) return std::nullopt;
  crypt_token_params_luks2_keyring params = {};
  device.Check(crypt_token_luks2_keyring_get(device.get(), token, &params), "crypt_token_luks2_keyring_get",
               "token " + std::to_string(token));
  return params.key_description;
}

std::vector<int> TokenKeyslots(const CryptDevice& device, int token) {
  std::vector<int> keyslots;
  for (int keyslot = 0; keyslot < static_cast<int>(kMostSlots); keyslot++) {
    if (crypt_token_is_assigned(device.get(), token, keyslot) == 0) keyslots.push_back(keyslot);
  }
  // While a re-encryption is pending a token has one keyslot of each of the two volume keys, and both are needed.
  if (device.ReencryptionPending() && !keyslots.empty()) keyslots = {CRYPT_ANY_SLOT};
  return keyslots;
}

bool HasBoundKeyslot(const CryptDevice& device) {
  for (int keyslot = 0; keyslot < static_cast<int>(kMostSlots); keyslot++) {
    const crypt_keyslot_info info = crypt_keyslot_status(device.get(), keyslot);
    if (info == CRYPT_SLOT_ACTIVE || info == CRYPT_SLOT_ACTIVE_LAST) return true;
  }
  return false;
}

// What belongs to a passphrase has no meaning beside something else that unlocks.
void RefusePassphrase(const ObjectReader& reader, const ArgumentName& name, const std::string& beside) {
  if (reader.Has("keyslot")) name.Refuse("it has keyslot beside " + beside);
  for (const char* member : kSecretMembers) {
    if (reader.Has(member)) name.Refuse(std::string("it has ") + member + " beside " + beside);
  }
}

}  // namespace

int ToSlot(const Napi::Value& value, const ArgumentName& name) {
  return static_cast<int>(ToUint32(value, name, kMostSlots - 1));
}

int ToOptionalSlot(const Napi::Value& value, const ArgumentName& name) {
  return value.IsUndefined() || value.IsNull() ? CRYPT_ANY_SLOT : ToSlot(value, name);
}

int OptionalSlot(const ObjectReader& reader, const char* member) {
  return ToOptionalSlot(reader.Get(member), reader.Name(member));
}

std::string ToDevicePath(const Napi::Value& value, const char* function) {
  const ArgumentName name{function, "path"};
  std::string path = ToText(value, name, 4095);
  if (path.empty()) name.Refuse("it is empty");
  return path;
}

std::shared_ptr<Unlock> Unlock::FromJs(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  auto unlock = std::make_shared<Unlock>();
  if (!reader.Has("token")) {
    unlock->source_ = SecretSource::FromJs(value, name);
    unlock->keyslot_ = OptionalSlot(reader, "keyslot");
    return unlock;
  }
  RefusePassphrase(reader, name, "a token");
  const Napi::Value token = reader.Get("token");
  if (token.IsString()) {
    if (reader.Text("token", 16) != "any") reader.Name("token").Refuse("it is neither \"any\" nor a number");
  } else {
    unlock->token_ = ToSlot(token, reader.Name("token"));
  }
  return unlock;
}

std::shared_ptr<Unlock> Unlock::OrVolumeKeyFromJs(const Napi::Value& value, const ArgumentName& name) {
  const char* const member = "volumeKey";
  const ObjectReader reader(value, name);
  if (!reader.Has(member)) return FromJs(value, name);
  RefusePassphrase(reader, name, "a volume key");
  if (reader.Has("token")) name.Refuse("it has token beside a volume key");
  auto unlock = std::make_shared<Unlock>();
  unlock->volumeKey_ = ToVolumeKey(reader.Get(member), reader.Name(member));
  return unlock;
}

void Unlock::Prepare() {
  if (source_ == nullptr) return;
  passphrase_ = source_->Take();
  source_.reset();
}

int Unlock::Try(const CryptDevice& device, const char* call, const Attempt& attempt) const {
  if (volumeKey_ != nullptr) throw NativeError(EINVAL, call, device.path(), "it takes a passphrase, not a volume key");
  if (passphrase_.empty()) return TryTokens(device, call, attempt);
  int result = attempt(passphrase_, keyslot_);
  // The library tries all keyslots and tells of the last one, which may be that of another volume key.
  if (result == -ENOENT && keyslot_ == CRYPT_ANY_SLOT && HasBoundKeyslot(device)) result = -EPERM;
  const std::string slot = keyslot_ == CRYPT_ANY_SLOT ? "any keyslot" : "keyslot " + std::to_string(keyslot_);
  return device.Check(result, call, result == -EPERM ? "the passphrase does not open " + slot : "");
}

int Unlock::TryTokens(const CryptDevice& device, const char* call, const Attempt& attempt) const {
  Failures failures;
  for (int token = 0; token < static_cast<int>(kMostSlots); token++) {
    if (token_ != CRYPT_ANY_TOKEN && token != token_) continue;
    const std::optional<std::string> description = TokenKey(device, token);
    if (!description) {
      if (token == token_) failures.Note(token, ENOENT, "it is not a token of type luks2-keyring");
      continue;
    }
    const std::vector<int> keyslots = TokenKeyslots(device, token);
    if (keyslots.empty()) failures.Note(token, ENOENT, "it has no keyslot");
    std::optional<Secret> passphrase;
    try {
      if (!keyslots.empty()) passphrase = PersistentKey(*description);
    } catch (const NativeError& error) {
      failures.Note(token, error.number(), error.what());
    }
    if (!passphrase) continue;
    for (const int keyslot : keyslots) {
      const int result = attempt(*passphrase, keyslot);
      if (result >= 0) return result;
      // Anything else is no matter of the passphrase, and would meet the next token too.
      if (result != -EPERM && result != -ENOENT) device.Check(result, call);
      failures.Note(token, -result, "the key '" + *description + "' does not open its keyslot");
    }
  }
  throw NativeError(failures.number(), call, device.path(), failures.text());
}

UnlockedKey Unlock::Open(const CryptDevice& device) const {
  UnlockedKey unlocked;
  if (volumeKey_ != nullptr) {
    device.Check(crypt_volume_key_verify(device.get(), volumeKey_->text(), volumeKey_->size()),
                 "crypt_volume_key_verify");
    unlocked.key = volumeKey_->Copy();
    return unlocked;
  }
  unlocked.key = Secret(kMostVolumeKeyBytes);
  size_t size = unlocked.key.size();
  char* const buffer = reinterpret_cast<char*>(unlocked.key.data());
  unlocked.keyslot = Try(device, "crypt_volume_key_get", [&](const Secret& passphrase, int keyslot) {
    size = unlocked.key.size();
    return crypt_volume_key_get(device.get(), keyslot, buffer, &size, passphrase.text(), passphrase.size());
  });
  unlocked.key.Shorten(size);
  return unlocked;
}

}  // namespace stratis
