// The parts of the addon. Each adds its functions and classes to `exports`.
#pragma once

#include <napi.h>

namespace stratis {

void InitDm(Napi::Env env, Napi::Object exports);
void InitFdPoll(Napi::Env env, Napi::Object exports);
void InitUdev(Napi::Env env, Napi::Object exports);
void InitBlockFile(Napi::Env env, Napi::Object exports);
void InitBlkid(Napi::Env env, Napi::Object exports);
// replaceFile and removeFile
void InitDurableFile(Napi::Env env, Napi::Object exports);
// appendToFile
void InitAppendFile(Napi::Env env, Napi::Object exports);
// mount, unmount, makeMountSlave and statFs
void InitMount(Napi::Env env, Napi::Object exports);
void InitRun(Napi::Env env, Napi::Object exports);
void InitFileLock(Napi::Env env, Napi::Object exports);
// UnixSocket, closeDescriptor and pipeWith
void InitUnixSocket(Napi::Env env, Napi::Object exports);
void InitUnixListener(Napi::Env env, Napi::Object exports);
// keyringSet, keyringUnset, keyringHas, keyringList, volumeKeyHas and volumeKeyUnset
void InitKeyring(Napi::Env env, Napi::Object exports);
// sendDatagram
void InitNotify(Napi::Env env, Napi::Object exports);
// onLibraryMessage
void InitLibraryMessages(Napi::Env env, Napi::Object exports);
// readSecret, secretFrom and randomPassphrase
void InitSecret(Napi::Env env, Napi::Object exports);
// cryptGenerateVolumeKey
void InitVolumeKey(Napi::Env env, Napi::Object exports);
void InitCryptHeader(Napi::Env env, Napi::Object exports);
void InitCryptKeyslots(Napi::Env env, Napi::Object exports);
// cryptActivate, cryptDeactivate, cryptStatus, cryptResize and cryptLoadVolumeKey
void InitCryptActivate(Napi::Env env, Napi::Object exports);
// cryptLoadTable
void InitCryptTable(Napi::Env env, Napi::Object exports);
// cryptReencryptBegin and cryptReencryptRun
void InitCryptReencrypt(Napi::Env env, Napi::Object exports);

}  // namespace stratis
