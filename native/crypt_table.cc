// Tables of device-mapper that refer to the volume keys of a LUKS2 device.
#include <memory>
#include <string>
#include <utility>

#include "crypt_device.h"
#include "crypt_unlock.h"
#include "dm_ioctl.h"
#include "dm_request.h"
#include "keyring.h"
#include "module.h"
#include "promise.h"

namespace stratis {

namespace {

constexpr const char* kLoadTable = "cryptLoadTable";

struct TableLoad {
  std::string path;
  std::shared_ptr<Unlock> unlock;
  DmRequest request;

  void Run() const {
    unlock->Prepare();
    CryptDevice device(path, CryptDevice::Use::kChange);
    device.RequireHeader();
    const struct ForgottenAtEnd {
      ~ForgottenAtEnd() { ForgetThreadKeys(); }
    } forgotten;
    // Without a name it puts the volume keys, both of them while a re-encryption is pending, into the keyring of this
    // thread. There dm-crypt finds them when the table is loaded, and has copies of its own from then on.
    const char* const call = "crypt_activate_by_passphrase";
    unlock->Try(device, call, [&device](const Secret& passphrase, int keyslot) {
      return crypt_activate_by_passphrase(device.get(), nullptr, keyslot, passphrase.text(), passphrase.size(),
                                          CRYPT_ACTIVATE_KEYRING_KEY);
    });
    RunDmRequest(request);
  }
};

Napi::Value LoadTable(const Napi::CallbackInfo& info) {
  return Promised(info.Env(), kLoadTable, [&] {
    const auto load = std::make_shared<TableLoad>();
    load->path = ToDevicePath(info[0], kLoadTable);
    load->unlock = Unlock::FromJs(info[1], {kLoadTable, "unlock"});
    const ArgumentName name{kLoadTable, "request"};
    load->request = ReadDmRequest(info[2], name);
    if (load->request.op != DmOp::kLoad) name.Refuse("it is not the loading of a table");
    return RunVoidJob(info.Env(), kLoadTable, [load] { load->Run(); });
  });
}

}  // namespace

void InitCryptTable(Napi::Env env, Napi::Object exports) {
  exports.Set(kLoadTable, Napi::Function::New(env, LoadTable, kLoadTable));
}

}  // namespace stratis
