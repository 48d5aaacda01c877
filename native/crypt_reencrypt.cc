#include "crypt_reencrypt.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>

#include "keyring.h"

namespace stratis {

namespace {

constexpr const char* kInit = "crypt_reencrypt_init_by_passphrase";

constexpr uint64_t kMiB = 1024 * 1024;
// The piece that is being worked on is in memory twice, users of the device wait for it, and so does everybody else who
// wants to use the library; but each costs several changes of the header and of device-mapper's tables, too, which small
// pieces make a third of all. Left to itself the library takes what it has room for the checksums of, 262 MiB here.
constexpr uint64_t kLargestUsualPiece = 256 * kMiB;
constexpr uint64_t kMemoryShare = 6;

uint64_t UsualHotzoneSectors() {
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) throw NativeError(errno, "sysinfo", "the memory of this machine");
  const uint64_t share = static_cast<uint64_t>(info.totalram) * info.mem_unit / kMemoryShare;
  return std::max(kMiB, std::min(kLargestUsualPiece, share / kMiB * kMiB)) / 512;
}

crypt_params_reencrypt Params(const ReencryptRequest& request, crypt_reencrypt_mode_info mode, uint32_t flags) {
  crypt_params_reencrypt params = {};
  params.mode = mode;
  params.direction = CRYPT_REENCRYPT_FORWARD;
  params.resilience = request.resilience.c_str();
  params.hash = request.hash.c_str();
  params.max_hotzone_size = request.mostHotzoneSectors;
  params.flags = flags;
  return params;
}

const char* NameOrNull(const std::optional<std::string>& name) { return name ? name->c_str() : nullptr; }

int Init(const CryptDevice& device, const ReencryptRequest& request, const crypt_params_reencrypt& params) {
  return request.unlock->Try(device, kInit, [&](const Secret& passphrase, int) {
    return crypt_reencrypt_init_by_passphrase(device.get(), NameOrNull(request.activeName), passphrase.text(),
                                              passphrase.size(), CRYPT_ANY_SLOT, CRYPT_ANY_SLOT, nullptr, nullptr,
                                              &params);
  });
}

// What the callback of the library needs to know.
struct Running {
  const Progress& progress;
  std::optional<uint32_t> mostPieces;
  // Calls so far: one at the begin, and one after each piece, with bytes that do not count that piece yet.
  uint32_t calls = 0;
  std::exception_ptr failure;
};

int OnProgress(uint64_t size, uint64_t offset, void* data) {
  auto* running = static_cast<Running*>(data);
  bool goes_on = false;
  try {
    goes_on = running->progress(offset, size);
  } catch (...) {
    // It must not pass through the library.
    running->failure = std::current_exception();
  }
  if (running->mostPieces && running->calls >= *running->mostPieces) goes_on = false;
  running->calls++;
  CryptTurn::Yield();
  return goes_on ? 0 : 1;
}

void Recover(CryptDevice& device, const ReencryptRequest& request, crypt_reencrypt_mode_info mode) {
  Init(device, request, Params(request, mode, CRYPT_REENCRYPT_RECOVERY));
  device.RequireHeader();
}

}  // namespace

void ReencryptRequest::Read(const Napi::Value& pathValue, const Napi::Value& value, const char* function) {
  path = ToDevicePath(pathValue, function);
  const ObjectReader options(value, {function, "options"});
  if (options.Has("activeName") && !options.Get("activeName").IsNull()) {
    activeName = options.Text("activeName", 127);
    if (activeName->empty()) options.Name("activeName").Refuse("it is empty");
  }
  unlock = Unlock::FromJs(options.Get("unlock"), options.Name("unlock"));
  resilience = options.OptionalText("resilience", "checksum", 32);
  hash = options.OptionalText("hash", "sha256", 32);
  mostHotzoneSectors = options.OptionalUint64("mostHotzoneSectors", UsualHotzoneSectors(), INT64_MAX / 512);
  if (options.Has("mostPieces")) mostPieces = options.OptionalUint32("mostPieces", 0, UINT32_MAX);
}

void BeginReencryption(const ReencryptBegin& begin) {
  const ReencryptRequest& request = begin.request;
  request.unlock->Prepare();
  CryptDevice device(request.path, CryptDevice::Use::kChange);
  device.RequireHeader();
  if (device.ReencryptionPending()) device.Check(-EBUSY, kInit, "one is pending");
  const struct ForgottenAtEnd {
    ~ForgottenAtEnd() { ForgetThreadKeys(); }
  } forgotten;
  crypt_params_luks2 luks2 = {};
  luks2.sector_size = begin.sectorSize;
  crypt_params_reencrypt params =
      Params(request, begin.mode, begin.initializeOnly ? CRYPT_REENCRYPT_INITIALIZE_ONLY : 0);
  const bool decrypts = begin.mode == CRYPT_REENCRYPT_DECRYPT;
  params.luks2 = decrypts ? nullptr : &luks2;
  request.unlock->Try(device, kInit, [&](const Secret& passphrase, int) {
    return crypt_reencrypt_init_by_passphrase(
        device.get(), NameOrNull(request.activeName), passphrase.text(), passphrase.size(), begin.oldKeyslot,
        begin.newKeyslot, decrypts ? nullptr : begin.cipher.c_str(), decrypts ? nullptr : begin.cipherMode.c_str(),
        &params);
  });
}

bool RunReencryption(const ReencryptRequest& request, const Progress& progress) {
  const ReencryptionMark mark(request.path);
  request.unlock->Prepare();
  CryptDevice device(request.path, CryptDevice::Use::kReencrypt);
  device.RequireHeader();
  crypt_params_reencrypt pending = {};
  const crypt_reencrypt_info state = crypt_reencrypt_status(device.get(), &pending);
  if (state == CRYPT_REENCRYPT_NONE) device.Check(-ENODATA, kInit, "nothing is pending");
  if (state == CRYPT_REENCRYPT_INVALID) device.Check(-EINVAL, kInit, "the header contradicts itself");
  if (state == CRYPT_REENCRYPT_CRASH) Recover(device, request, pending.mode);
  // The recovery may have done the last piece.
  if (!device.ReencryptionPending()) return true;
  Init(device, request, Params(request, pending.mode, CRYPT_REENCRYPT_RESUME_ONLY));
  Running running{progress, request.mostPieces, 0, nullptr};
  const int result = crypt_reencrypt_run(device.get(), OnProgress, &running);
  if (running.failure != nullptr) std::rethrow_exception(running.failure);
  device.Check(result, "crypt_reencrypt_run");
  return !device.ReencryptionPending();
}

}  // namespace stratis
