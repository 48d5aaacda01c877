/** Command lines that are wrong before anything is asked of stratisd (cli.md §2, §4, §5). */

export const COMMANDS = `
stratis
stratis daemon
stratis debug
stratis pool debug
stratis pool bind
stratis pool rebind
stratis pool encryption
stratis pool crypt
stratis pool encryption bind
stratis pool encryption rebind
stratis fs debug
stratis filesystem debug
stratis blockdev debug
stratis notasub
stratis help
stratis pool notasub
stratis pool lis
stratis fs notasub
stratis blockdev notasub
stratis key notasub
stratis key lis
stratis daemon notasub
stratis debug notasub
stratis pool debug notasub
stratis pool bind notasub
stratis pool encryption notasub
stratis pool encryption bind notasub
stratis pool encryption rebind tang
stratis report notreport
stratis report stopped_pool
stratis report engine_state_report more
stratis pool list more
stratis key list more
stratis daemon version more
stratis debug refresh more
stratis pool list --propagate
stratis pool --propagate list
stratis pool --stopped
stratis -x
stratis -V
stratis --notanoption
stratis --notanoption pool
stratis pool list --notanoption
stratis pool list -n p
stratis --p
stratis --print pool list
stratis --version=1
stratis --propagate=yes pool
stratis pool list --stopped=yes
stratis pool create --help
stratis pool bind -h
stratis --help
stratis --he
stratis fs create --hel
`;

export const POOL_LINES = `
stratis pool create
stratis pool create p
stratis pool create --integrity=no p
stratis pool create p /dev/a --integrity=yes
stratis pool create p /dev/a --integrity No
stratis pool create p /dev/a --tag-spec=0b
stratis pool create p /dev/a --tag-spec=64b
stratis pool create p /dev/a --tag-spec
stratis pool create p /dev/a --clevis=tangs
stratis pool create p /dev/a --clevis Tang
stratis pool create p /dev/a --clevis=
stratis pool create p /dev/n --clevis=tang
stratis pool create p /dev/n --clevis=nbde
stratis pool create p /dev/n --clevis=nbde --trust-url
stratis pool create p /dev/n --clevis=tang --tang-url=u
stratis pool create p /dev/n --tang-url=u
stratis pool create p /dev/n --tang-url=u --trust-url
stratis pool create p /dev/n --tang-url=u --trust-url --clevis=tpm2
stratis pool create p /dev/n --trust-url
stratis pool create p /dev/n --thumbprint=abc
stratis pool create p /dev/n --thumbprint=abc --trust-url
stratis pool create p /dev/n --trust-url --thumbprint abc
stratis pool create p /dev/n --clevis=tpm2 --thumbprint=
stratis pool create p /dev/n --integrity=no --tag-spec=32b
stratis pool create p /dev/n --integrity=no --journal-size=128MiB
stratis pool create p /dev/n --integrity=no --journal-size=1MiB --tag-spec=32b
stratis pool create p /dev/n --journal-size=32
stratis pool create p /dev/n --journal-size=-1MiB
stratis pool create p /dev/n --journal-size -1MiB
stratis pool create p /dev/n --journal-size 1GB
stratis pool create p /dev/n --post-parser
stratis pool create p /dev/n --post-parser=x
stratis pool create p /dev/n --key
stratis pool create p /dev/n --t=u
stratis pool create p /dev/n --t
stratis pool create p /dev/n --key-desc
stratis pool create p /dev/a --no-overprovision=yes
stratis pool destroy
stratis pool destroy p q
stratis pool rename
stratis pool rename p
stratis pool rename p q r
stratis pool start
stratis pool start p
stratis pool start --name
stratis pool start --name p --uuid 0c2caf641dde41beb40bed6911f75c74
stratis pool start --uuid 0c2caf641dde41beb40bed6911f75c74 --name=p
stratis pool start --name=x --unlock-method=any --token-slot=1
stratis pool start --name=x --token-slot=1 --unlock-method=any
stratis pool start --name=x --unlock-method=all
stratis pool start --name=x --unlock-method ANY
stratis pool start --name=x --token-slot=-1
stratis pool start --name=x --token-slot -1
stratis pool start --name=x --token-slot=one
stratis pool start --name=x --token-slot
stratis pool start --name=x --keyfile-path=k --capture-key
stratis pool start --name=x --capture-key --keyfile-path k
stratis pool stop
stratis pool stop p
stratis pool list --name=p --uuid=0c2caf641dde41beb40bed6911f75c74
stratis pool list --uuid=
stratis pool list --uuid=xyz
stratis pool list --uuid=0c2caf641dde41beb40bed6911f75c7
stratis pool list --uuid 0c2caf641dde41beb40bed6911f75c745
stratis pool debug get-object-path
stratis pool debug get-object-path --uuid=not
stratis pool debug get-metadata --pretty
stratis pool init-cache
stratis pool init-cache p
stratis pool add-data
stratis pool add-data p
stratis pool add-cache p
stratis pool add-cache
stratis pool extend-data
stratis pool extend-data --device-uuid 0c2caf641dde41beb40bed6911f75c74 p
stratis pool extend-data p --device-uuid=x
stratis pool extend-data p --device-uuid 0c2caf641dde41beb40bed6911f75c74 q
stratis pool set-fs-limit p
stratis pool set-fs-limit p -1
stratis pool set-fs-limit p 1.2
stratis pool set-fs-limit p ten
stratis pool set-fs-limit p ''
stratis pool set-fs-limit p 1__0
stratis pool set-fs-limit p _1
stratis pool set-fs-limit p 0x10
stratis pool set-fs-limit p 1e3
stratis pool overprovision p
stratis pool overprovision p Yes
stratis pool overprovision p true
stratis pool overprovision p ''
stratis pool explain
stratis pool explain ws001
stratis pool explain WS002
stratis pool explain WS001 IDS001
stratis pool bind tang p
stratis pool bind tang p u
stratis pool bind nbde p u --trust-url --thumbprint x
stratis pool bind nbde p
stratis pool bind tpm2
stratis pool bind tpm2 p --post-parser
stratis pool bind keyring p
stratis pool rebind clevis
stratis pool rebind keyring p
stratis pool rebind clevis p --token-slot=x
stratis pool unbind
stratis pool unbind p clevis
stratis pool unbind keyrin p
stratis pool unbind keyring p --token-slot=-2
stratis pool encryption on
stratis pool encryption on --name=p --clevis=tang
stratis pool encryption on --name=p --tang-url=x --clevis=tang
stratis pool encryption on --name=p --thumbprint=x
stratis pool encryption on --name=p --post-parser
stratis pool encryption off
stratis pool encryption off p
stratis pool encryption reencrypt
stratis pool encryption reencrypt --in-place
stratis pool encryption bind nbde --name=p
stratis pool encryption bind nbde --name=p u
stratis pool encryption bind tang u --trust-url
stratis pool encryption bind tpm2 p
stratis pool encryption bind tpm2
stratis pool encryption bind keyring --name=p
stratis pool encryption bind keyring k
stratis pool encryption rebind clevis
stratis pool encryption rebind keyring k
stratis pool encryption unbind --name=p
stratis pool encryption unbind --name=p tang
stratis pool encryption unbind keyring
`;

export const OTHER_LINES = `
stratis fs create
stratis fs create p
stratis filesystem create p
stratis fs create p f --size=32GB
stratis fs create p f --size='32 GiB'
stratis fs create p f --size=1EiB
stratis fs create p f --size=5gib
stratis fs create p f --size=
stratis fs create p f --size -5GiB
stratis fs create p f --size=-5GiB
stratis fs create p f --size=1.5GiB
stratis fs create p f --size=10
stratis fs create p f --size
stratis fs create p f --size-limit=current
stratis fs create p f --size-limit
stratis fs create p f --siz=1GiB
stratis fs list --name=b
stratis fs list --uuid=0c2caf641dde41beb40bed6911f75c74
stratis fs list p --name=b --uuid=0c2caf641dde41beb40bed6911f75c74
stratis fs list p --uuid=b
stratis fs list p q
stratis fs list p --post-parser=1
stratis fs snapshot p
stratis fs snapshot p f
stratis fs snapshot p f s more
stratis fs destroy p
stratis fs rename p f
stratis fs set-size-limit p f
stratis fs set-size-limit p f Current
stratis fs set-size-limit p f 5
stratis fs set-size-limit p f -5GiB
stratis fs unset-size-limit p
stratis fs unset-size-limit p f 1GiB
stratis fs schedule-revert p
stratis fs cancel-revert
stratis fs debug get-object-path
stratis fs debug get-object-path --name=x --uuid=0c2caf641dde41beb40bed6911f75c74
stratis fs debug get-metadata
stratis blockdev list p q
stratis blockdev debug get-object-path
stratis blockdev debug get-object-path --uuid=b
stratis key set
stratis key set k
stratis key set --capture-key
stratis key set k --keyfile-path
stratis key set k --keyfile-path=f --capture-key
stratis key reset
stratis key reset k
stratis key unset
stratis key unset k l
stratis debug uevent
STRATIS_DBUS_TIMEOUT=abc stratis pool notasub
STRATIS_DBUS_TIMEOUT=abc stratis --help
`;

/** What they explain needs no daemon either, but stratis-cli asks for one. */
export const EXPLANATIONS = `
stratis pool explain WS001
stratis pool explain IDS001
stratis pool explain WDS002
stratis pool explain WC001
stratis pool explain WC002
stratis pool explain EM001
stratis pool explain EM002
`;

export const ENVIRONMENT = `
STRATIS_DBUS_TIMEOUT=abc stratis pool
STRATIS_DBUS_TIMEOUT= stratis pool
STRATIS_DBUS_TIMEOUT=2.0 stratis pool
STRATIS_DBUS_TIMEOUT=-2 stratis pool list
STRATIS_DBUS_TIMEOUT=1073741824 stratis pool list
STRATIS_DBUS_TIMEOUT=99999999999999999999 stratis key list
STRATIS_DBUS_TIMEOUT=1073741823 stratis pool list
STRATIS_DBUS_TIMEOUT=1_000_000 stratis pool list
STRATIS_DBUS_TIMEOUT=-1 stratis daemon version
STRATIS_STRICT_POOL_FEATURES=1 stratis pool list --stopped
STRATIS_STRICT_POOL_FEATURES=x stratis pool list --stopped
`;
