// LUKS2 headers: loading, formatting, backing up, restoring and wiping.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypt_device.h"
#include "crypt_pbkdf.h"
#include "crypt_unlock.h"
#include "module.h"
#include "promise.h"
#include "volume_key.h"

namespace stratis {

namespace {

constexpr uint64_t kBytesPerSector = 512;
// As large as libcryptsetup itself takes: each block is one synchronous write.
constexpr size_t kWipeBlockBytes = 1U << 20;
// Far above what LUKS2 allows (4 MiB and 128 MiB): the library says what is wrong with a number.
constexpr uint32_t kMostHeaderBytes = 1U << 30;

struct Token {
  int token;
  std::string json;
};

struct Keyslot {
  int keyslot;
  bool unbound;
};

struct Reencryption {
  const char* state = "none";
  const char* mode = nullptr;
};

struct Header {
  std::string uuid;
  std::string cipher;
  std::string cipherMode;
  uint64_t metadataSize = 0;
  uint64_t keyslotsSize = 0;
  uint64_t dataOffset = 0;  // sectors
  int sectorSize = 0;
  int volumeKeyBytes = 0;
  std::vector<Keyslot> keyslots;
  std::vector<Token> tokens;
  Reencryption reencryption;
  std::string json;
};

std::string TextOf(const char* text) { return text == nullptr ? "" : text; }

Reencryption ReadReencryption(const CryptDevice& device) {
  crypt_params_reencrypt params = {};
  Reencryption reencryption;
  switch (crypt_reencrypt_status(device.get(), &params)) {
    case CRYPT_REENCRYPT_NONE:
      return reencryption;
    case CRYPT_REENCRYPT_CLEAN:
      reencryption.state = "clean";
      break;
    case CRYPT_REENCRYPT_CRASH:
      reencryption.state = "crash";
      break;
    case CRYPT_REENCRYPT_INVALID:
      reencryption.state = "invalid";
      return reencryption;
  }
  switch (params.mode) {
    case CRYPT_REENCRYPT_REENCRYPT:
      reencryption.mode = "reencrypt";
      break;
    case CRYPT_REENCRYPT_ENCRYPT:
      reencryption.mode = "encrypt";
      break;
    case CRYPT_REENCRYPT_DECRYPT:
      reencryption.mode = "decrypt";
      break;
  }
  return reencryption;
}

std::vector<Keyslot> ReadKeyslots(const CryptDevice& device) {
  std::vector<Keyslot> keyslots;
  for (int keyslot = 0; keyslot < static_cast<int>(kMostSlots); keyslot++) {
    const crypt_keyslot_info info = crypt_keyslot_status(device.get(), keyslot);
    if (info == CRYPT_SLOT_ACTIVE || info == CRYPT_SLOT_ACTIVE_LAST) keyslots.push_back({keyslot, false});
    if (info == CRYPT_SLOT_UNBOUND) keyslots.push_back({keyslot, true});
  }
  return keyslots;
}

std::vector<Token> ReadTokens(const CryptDevice& device) {
  std::vector<Token> tokens;
  for (int token = 0; token < static_cast<int>(kMostSlots); token++) {
    if (crypt_token_status(device.get(), token, nullptr) == CRYPT_TOKEN_INACTIVE) continue;
    const char* json = nullptr;
    device.Check(crypt_token_json_get(device.get(), token, &json), "crypt_token_json_get");
    tokens.push_back({token, TextOf(json)});
  }
  return tokens;
}

Header ReadHeader(const CryptDevice& device) {
  Header header;
  header.uuid = TextOf(crypt_get_uuid(device.get()));
  header.cipher = TextOf(crypt_get_cipher(device.get()));
  header.cipherMode = TextOf(crypt_get_cipher_mode(device.get()));
  device.Check(crypt_get_metadata_size(device.get(), &header.metadataSize, &header.keyslotsSize),
               "crypt_get_metadata_size");
  header.dataOffset = crypt_get_data_offset(device.get());
  header.sectorSize = crypt_get_sector_size(device.get());
  header.volumeKeyBytes = crypt_get_volume_key_size(device.get());
  header.keyslots = ReadKeyslots(device);
  header.tokens = ReadTokens(device);
  header.reencryption = ReadReencryption(device);
  // Owned by the context. It describes keys, and holds none.
  const char* json = nullptr;
  device.Check(crypt_dump_json(device.get(), &json, 0), "crypt_dump_json");
  header.json = TextOf(json);
  return header;
}

Napi::Array KeyslotsToJs(Napi::Env env, const std::vector<Keyslot>& keyslots) {
  Napi::Array array = Napi::Array::New(env, keyslots.size());
  for (uint32_t i = 0; i < keyslots.size(); i++) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("keyslot", keyslots[i].keyslot);
    object.Set("unbound", keyslots[i].unbound);
    array.Set(i, object);
  }
  return array;
}

Napi::Array TokensToJs(Napi::Env env, const std::vector<Token>& tokens) {
  Napi::Array array = Napi::Array::New(env, tokens.size());
  for (uint32_t i = 0; i < tokens.size(); i++) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("token", tokens[i].token);
    object.Set("json", tokens[i].json);
    array.Set(i, object);
  }
  return array;
}

Napi::Value HeaderToJs(Napi::Env env, std::optional<Header>& found) {
  if (!found) return env.Null();
  const Header& header = *found;
  Napi::Object object = Napi::Object::New(env);
  object.Set("uuid", header.uuid);
  object.Set("metadataSize", static_cast<double>(header.metadataSize));
  object.Set("keyslotsSize", static_cast<double>(header.keyslotsSize));
  object.Set("dataOffsetSectors", Napi::BigInt::New(env, header.dataOffset));
  object.Set("cipher", header.cipher);
  object.Set("cipherMode", header.cipherMode);
  object.Set("sectorSize", header.sectorSize);
  // The library takes it from a keyslot.
  const int keyBytes = header.volumeKeyBytes;
  object.Set("volumeKeyBytes", keyBytes <= 0 ? env.Null() : Napi::Number::New(env, keyBytes).As<Napi::Value>());
  object.Set("keyslots", KeyslotsToJs(env, header.keyslots));
  object.Set("tokens", TokensToJs(env, header.tokens));
  Napi::Object reencryption = Napi::Object::New(env);
  reencryption.Set("state", header.reencryption.state);
  const char* mode = header.reencryption.mode;
  reencryption.Set("mode", mode == nullptr ? env.Null() : Napi::String::New(env, mode).As<Napi::Value>());
  object.Set("reencryption", reencryption);
  object.Set("json", header.json);
  return object;
}

Napi::Value Load(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptLoad";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    return RunJob<std::optional<Header>>(
        info.Env(), kName,
        [path]() -> std::optional<Header> {
          CryptDevice device(path, CryptDevice::Use::kRead);
          if (!device.Load()) return std::nullopt;
          return ReadHeader(device);
        },
        HeaderToJs);
  });
}

struct FormatOptions {
  std::string uuid;
  std::string cipher;
  std::string cipherMode;
  uint32_t metadataSize;
  uint32_t keyslotsSize;
  std::optional<uint64_t> dataOffset;  // sectors
  uint32_t sectorSize;                 // 0: the library chooses
  uint32_t volumeKeyBytes;
  std::optional<KeyDerivation> derivation;
};

FormatOptions ReadFormatOptions(const Napi::Value& value, const ArgumentName& name) {
  const ObjectReader reader(value, name);
  FormatOptions options;
  options.uuid = reader.OptionalText("uuid", "", 64);
  options.cipher = reader.OptionalText("cipher", "aes", 32);
  options.cipherMode = reader.OptionalText("cipherMode", "xts-plain64", 32);
  options.metadataSize = ToUint32(reader.Get("metadataSize"), reader.Name("metadataSize"), kMostHeaderBytes);
  options.keyslotsSize = ToUint32(reader.Get("keyslotsSize"), reader.Name("keyslotsSize"), kMostHeaderBytes);
  if (reader.Has("dataOffsetSectors"))
    options.dataOffset = reader.Uint64("dataOffsetSectors", INT64_MAX / kBytesPerSector);
  options.sectorSize = reader.OptionalUint32("sectorSize", 0, 65536);
  options.volumeKeyBytes = reader.OptionalUint32("volumeKeyBytes", kUsualVolumeKeyBytes, kMostVolumeKeyBytes);
  if (options.volumeKeyBytes == 0) reader.Name("volumeKeyBytes").Refuse("it is zero");
  options.derivation = ReadKeyDerivation(reader);
  return options;
}

Secret FormatDevice(const std::string& path, const FormatOptions& options) {
  // Made here and not by the library, which would keep it to its context.
  Secret key = RandomSecret(options.volumeKeyBytes);
  CryptDevice device(path, CryptDevice::Use::kChange);
  device.Check(crypt_set_metadata_size(device.get(), options.metadataSize, options.keyslotsSize),
               "crypt_set_metadata_size");
  if (options.dataOffset)
    device.Check(crypt_set_data_offset(device.get(), *options.dataOffset), "crypt_set_data_offset");
  SetKeyDerivation(device, options.derivation);
  crypt_params_luks2 params = {};
  params.sector_size = options.sectorSize;
  const char* uuid = options.uuid.empty() ? nullptr : options.uuid.c_str();
  device.Check(crypt_format(device.get(), CRYPT_LUKS2, options.cipher.c_str(), options.cipherMode.c_str(), uuid,
                            key.text(), key.size(), &params),
               "crypt_format");
  return key;
}

Napi::Value Format(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptFormat";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    const FormatOptions options = ReadFormatOptions(info[1], {kName, "options"});
    return RunJob<Secret>(
        info.Env(), kName, [path, options] { return FormatDevice(path, options); },
        [](Napi::Env env, Secret& key) -> Napi::Value { return VolumeKeyToJs(env, std::move(key)); });
  });
}

// With keyslots destroyed first, what a crash leaves of the header opens nothing.
bool WipeDevice(const std::string& path) {
  CryptDevice device(path, CryptDevice::Use::kChange);
  if (!device.Load()) return false;
  if (!device.ReencryptionPending()) {
    for (const Keyslot& keyslot : ReadKeyslots(device))
      device.Check(crypt_keyslot_destroy(device.get(), keyslot.keyslot), "crypt_keyslot_destroy");
  }
  uint64_t metadata = 0;
  uint64_t keyslots = 0;
  device.Check(crypt_get_metadata_size(device.get(), &metadata, &keyslots), "crypt_get_metadata_size");
  // The data begin at 0 where the header is in a file of its own.
  const uint64_t length =
      std::max(crypt_get_data_offset(device.get()) * kBytesPerSector, 2 * metadata + keyslots);
  device.Check(crypt_wipe(device.get(), path.c_str(), CRYPT_WIPE_ZERO, 0, length, kWipeBlockBytes, 0, nullptr, nullptr),
               "crypt_wipe");
  return true;
}

Napi::Value Wipe(const Napi::CallbackInfo& info) {
  constexpr const char* kName = "cryptWipe";
  return Promised(info.Env(), kName, [&] {
    const std::string path = ToDevicePath(info[0], kName);
    return RunJob<bool>(
        info.Env(), kName, [path] { return WipeDevice(path); },
        [](Napi::Env env, bool& wiped) -> Napi::Value { return Napi::Boolean::New(env, wiped); });
  });
}

// By address: the functions are there only when the job has loaded the library.
using HeaderCopy = int (**)(crypt_device*, const char*, const char*);

Napi::Value CopyHeader(const Napi::CallbackInfo& info, const char* name, const char* call, HeaderCopy copy,
                       CryptDevice::Use use) {
  return Promised(info.Env(), name, [&] {
    const std::string path = ToDevicePath(info[0], name);
    const ArgumentName fileName{name, "file"};
    const std::string file = ToText(info[1], fileName, 4095);
    if (file.empty()) fileName.Refuse("it is empty");
    return RunVoidJob(info.Env(), name, [path, file, call, copy, use] {
      CryptDevice device(path, use);
      device.Check((*copy)(device.get(), CRYPT_LUKS2, file.c_str()), call, "file " + file);
    });
  });
}

Napi::Value Backup(const Napi::CallbackInfo& info) {
  return CopyHeader(info, "cryptHeaderBackup", "crypt_header_backup", &crypt_header_backup, CryptDevice::Use::kRead);
}

Napi::Value Restore(const Napi::CallbackInfo& info) {
  return CopyHeader(info, "cryptHeaderRestore", "crypt_header_restore", &crypt_header_restore,
                    CryptDevice::Use::kChange);
}

}  // namespace

void InitCryptHeader(Napi::Env env, Napi::Object exports) {
  exports.Set("cryptLoad", Napi::Function::New(env, Load, "cryptLoad"));
  exports.Set("cryptFormat", Napi::Function::New(env, Format, "cryptFormat"));
  exports.Set("cryptWipe", Napi::Function::New(env, Wipe, "cryptWipe"));
  exports.Set("cryptHeaderBackup", Napi::Function::New(env, Backup, "cryptHeaderBackup"));
  exports.Set("cryptHeaderRestore", Napi::Function::New(env, Restore, "cryptHeaderRestore"));
}

}  // namespace stratis
