#include "module.h"

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  stratis::InitDm(env, exports);
  stratis::InitFdPoll(env, exports);
  stratis::InitUdev(env, exports);
  stratis::InitBlockFile(env, exports);
  stratis::InitBlkid(env, exports);
  stratis::InitDurableFile(env, exports);
  stratis::InitAppendFile(env, exports);
  stratis::InitMount(env, exports);
  stratis::InitRun(env, exports);
  stratis::InitFileLock(env, exports);
  stratis::InitUnixSocket(env, exports);
  stratis::InitUnixListener(env, exports);
  stratis::InitKeyring(env, exports);
  stratis::InitNotify(env, exports);
  stratis::InitLibraryMessages(env, exports);
  stratis::InitSecret(env, exports);
  stratis::InitVolumeKey(env, exports);
  stratis::InitCryptHeader(env, exports);
  stratis::InitCryptKeyslots(env, exports);
  stratis::InitCryptActivate(env, exports);
  stratis::InitCryptTable(env, exports);
  stratis::InitCryptReencrypt(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(stratis_native, Init)
