#include "crypt_pbkdf.h"

namespace stratis {

std::optional<KeyDerivation> ReadKeyDerivation(const ObjectReader& options) {
  if (!options.Has("pbkdf")) return std::nullopt;
  const ObjectReader reader(options.Get("pbkdf"), options.Name("pbkdf"));
  KeyDerivation derivation;
  derivation.type = reader.Text("type", 16);
  derivation.hash = reader.OptionalText("hash", "sha256", 32);
  derivation.iterations = ToUint32(reader.Get("iterations"), reader.Name("iterations"), INT32_MAX);
  derivation.memoryKiB = reader.OptionalUint32("memoryKiB", 0, 4 << 20);
  derivation.threads = reader.OptionalUint32("threads", 0, 64);
  return derivation;
}

void SetKeyDerivation(const CryptDevice& device, const std::optional<KeyDerivation>& derivation) {
  if (!derivation) return;
  crypt_pbkdf_type type = {};
  type.type = derivation->type.c_str();
  type.hash = derivation->hash.c_str();
  type.iterations = derivation->iterations;
  type.max_memory_kb = derivation->memoryKiB;
  type.parallel_threads = derivation->threads;
  type.flags = CRYPT_PBKDF_NO_BENCHMARK;
  device.Check(crypt_set_pbkdf_type(device.get(), &type), "crypt_set_pbkdf_type");
}

}  // namespace stratis
