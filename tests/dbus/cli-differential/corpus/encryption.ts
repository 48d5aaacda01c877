/** Keys, encrypted pools, and their bindings. */

export const KEYS = `
stratis key set k1 --keyfile-path={file:key}
stratis key set k1 --keyfile-path={file:key}
stratis key set k1 --keyfile-path=/nope
stratis key set a2 --keyf {file:key}
stratis key set long --keyfile-path={file:long}
stratis key set none --keyfile-path={file:empty}
stratis key list
stratis key reset k1 --keyfile-path={file:key}
stratis key reset k1 --keyfile-path={file:other}
stratis key reset k1 --keyfile-path={file:long}
stratis key reset k1 --keyfile-path=/nope
stratis key set typed --capture-key <<< 'secret\\nsecret\\n'
stratis key set untyped --capture-key <<< 'secret\\nsecret'
stratis key set differing --capture-key <<< 'secret\\nsecre\\n'
stratis key set empty --capture-key <<< '\\n\\n'
stratis key set ended --capture-key <<< 'once\\n'
stratis key reset typed --capture-key <<< 'secret\\nsecret\\n'
stratis key reset typed --capture-key <<< 'other\\nother\\n'
stratis key set stdin --keyfile-path=/dev/stdin <<< 'a key'
stratis key set '' --keyfile-path={file:key}
stratis key set a:b --keyfile-path={file:key}
stratis key set 漢字 --keyfile-path={file:key}
stratis key
stratis key unset k1
stratis key unset k1
stratis key unset typed
stratis key list
`;

const SLOTS = Array.from({ length: 15 }, (_, index) => index + 2);

export const ENCRYPTED_POOLS = `
stratis key set k1 --keyfile-path={file:key}
stratis key set k2 --keyfile-path={file:other}
stratis pool create vault /dev/a --key-desc=k1
stratis pool create tang /dev/b --clevis=tang --tang-url=http://tang.example:8080 --trust-url
stratis pool create thumb /dev/c --clevis=nbde --tang-url=http://t --thumbprint=abc'"'d --key-desc k2
stratis pool create tpm /dev/d --clevis=tpm2
stratis pool create plain /dev/e
stratis pool list
stratis pool list --name=vault
stratis pool list --name=tang
stratis pool list --name=thumb
stratis --unhyphenated-uuids pool list --name=tpm
stratis pool bind keyring plain k1
stratis pool bind tpm2 plain
stratis pool rebind clevis plain
stratis pool rebind keyring plain k1
stratis pool unbind clevis plain
stratis pool bind keyring vault k1
stratis pool bind keyring vault unknown
stratis pool bind keyring vault k2
stratis pool encryption bind keyring --name=tang k2
stratis pool crypt bind keyring --uuid={pool:tang} k2
stratis pool bind tpm2 vault
stratis pool bind tang vault http://u --trust-url
stratis pool encryption bind nbde --name vault http://u --thumbprint=x
stratis pool encryption bind tpm2 --name=tpm
stratis pool list --name=vault
stratis pool rebind clevis vault
stratis pool rebind clevis vault --token-slot=3
stratis pool rebind clevis vault --token-slot=0
stratis pool rebind clevis vault --token-slot=9
stratis pool rebind keyring vault k1
stratis pool rebind keyring vault k2 --token-slot=0
stratis pool encryption rebind keyring --name=vault k1 --token-slot 0
stratis pool encryption rebind clevis --name=vault --token-slot 2
stratis pool encryption rebind clevis --name=vault
stratis pool unbind keyring vault
stratis pool unbind keyring vault --token-slot=32
stratis pool unbind clevis vault --token-slot=2
stratis pool unbind clevis vault --token-slot=2
stratis pool encryption unbind --name=vault clevis --token-slot=3
stratis pool encryption unbind --uuid={pool:vault} clevis
stratis pool list --name=vault
stratis pool unbind clevis tpm
stratis pool encryption unbind --name=thumb keyring
stratis pool encryption unbind --name=thumb clevis
stratis pool encryption on --name=plain
stratis pool encryption on --name=plain --in-place
stratis pool encryption on --name=plain --in-place --key-desc=unknown
stratis pool encryption on --name=plain --in-place --clevis=tpm2
stratis pool encryption on --name=plain --in-place --clevis=tpm2
stratis pool encryption on --name=vault --in-place
stratis pool list --name=plain
stratis pool encryption reencrypt --name=plain
stratis pool encryption reencrypt --name=plain --in-place
stratis pool crypt reencrypt --uuid={pool:vault} --in-place
stratis pool list --name=plain
stratis pool encryption off --uuid={pool:plain}
stratis pool encryption off --name=plain --in-place
stratis pool encryption off --name=plain --in-place
stratis pool list --name=plain
stratis pool list
stratis report
stratis pool init-cache vault /dev/ca
stratis pool stop --name=vault
stratis pool stop --name=tang
stratis pool stop --name=thumb
stratis pool list --stopped
stratis pool list --stopped --name=vault
stratis pool list --stopped --name=tang
stratis pool list --stopped --uuid={stopped:thumb}
stratis report stopped_pools
stratis pool start --name=vault
stratis pool start --name=vault --unlock-method=keyring
stratis pool start --name=vault --unlock-method=clevis
stratis pool start --uuid={stopped:vault} --unlock-method clevis
stratis pool start --name=vault --token-slot=7
stratis pool start --name=vault --unlock-method=any
stratis pool start --name=vault --unlock-method=any
stratis pool start --name=tang --keyfile-path=/nope
stratis pool start --name=tang --capture-key <<< ''
stratis pool start --name=tang --capture-key <<< '\\n'
stratis pool start --name=tang --capture-key <<< 'secret\\n'
stratis pool start --name=thumb --token-slot=0 --keyfile-path={file:key}
stratis pool list
stratis pool create slots /dev/s --clevis=tpm2
${SLOTS.map((slot) => `stratis key set slot${slot} --keyfile-path={file:key}\nstratis pool bind keyring slots slot${slot}`).join("\n")}
stratis pool list --name=slots
`;
