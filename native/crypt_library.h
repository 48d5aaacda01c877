// The functions of libcryptsetup, found in the library when it is first needed.
//
// It is not linked to the addon: libcryptsetup computes with OpenSSL, Node brings an OpenSSL of its own and exports all
// of its functions, and a library of the addon would get those instead of the ones that it was built for. Loaded with
// RTLD_DEEPBIND it sees its own libraries first. The addon itself must not be loaded that way, since then nothing that
// is preloaded would stand in for the kernel in tests.
#pragma once

#include <libcryptsetup.h>

#define STRATIS_CRYPT_FUNCTIONS(F)      \
  F(crypt_activate_by_passphrase)       \
  F(crypt_activate_by_volume_key)       \
  F(crypt_deactivate_by_name)           \
  F(crypt_dump_json)                    \
  F(crypt_format)                       \
  F(crypt_free)                         \
  F(crypt_get_active_device)            \
  F(crypt_get_cipher)                   \
  F(crypt_get_cipher_mode)              \
  F(crypt_get_data_offset)              \
  F(crypt_get_metadata_size)            \
  F(crypt_get_sector_size)              \
  F(crypt_get_uuid)                     \
  F(crypt_get_volume_key_size)          \
  F(crypt_header_backup)                \
  F(crypt_header_restore)               \
  F(crypt_init)                         \
  F(crypt_keyslot_add_by_key)           \
  F(crypt_keyslot_change_by_passphrase) \
  F(crypt_keyslot_destroy)              \
  F(crypt_keyslot_status)               \
  F(crypt_load)                         \
  F(crypt_reencrypt_init_by_passphrase) \
  F(crypt_reencrypt_run)                \
  F(crypt_reencrypt_status)             \
  F(crypt_resize)                       \
  F(crypt_set_data_offset)              \
  F(crypt_set_log_callback)             \
  F(crypt_set_metadata_size)            \
  F(crypt_set_pbkdf_type)               \
  F(crypt_status)                       \
  F(crypt_token_external_disable)       \
  F(crypt_token_is_assigned)            \
  F(crypt_token_json_get)               \
  F(crypt_token_json_set)               \
  F(crypt_token_luks2_keyring_get)      \
  F(crypt_token_status)                 \
  F(crypt_volume_key_get)               \
  F(crypt_volume_key_verify)            \
  F(crypt_wipe)

namespace stratis {

// Within this namespace they hide the declarations of the header, which nothing defines. Null until
// LoadCryptLibrary has returned.
#define STRATIS_DECLARE(function) extern decltype(&::function) function;
STRATIS_CRYPT_FUNCTIONS(STRATIS_DECLARE)
#undef STRATIS_DECLARE

// Any number of times, from any thread. Throws NativeError with ELIBACC when the library, or a function of it, is not
// there; then the next call tries again.
void LoadCryptLibrary();

}  // namespace stratis
