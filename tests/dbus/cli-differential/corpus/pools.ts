/**
 * Pools, their devices and limits. stratis-cli hands several devices on in the order of their hashes, so that those that
 * are added come one by one. Not here, because ours takes it and stratis-cli does not (cli.md §2.1, row 8): devices in
 * two groups with an option between them.
 */

export const NOTHING_THERE = `
stratis pool
stratis pool list
stratis --unhyphenated-uuids pool list
stratis --un pool
stratis pool list --stopped
stratis fs
stratis filesystem
stratis fs list
stratis blockdev
stratis blockdev list
stratis key
stratis key list
stratis report
stratis report engine_state_report
stratis report stopped_pools
stratis report managed_objects_report
stratis report --no-sort-keys
stratis daemon version
stratis debug refresh
stratis pool list --name=nope
stratis pool list --uuid=0c2caf641dde41beb40bed6911f75c74
stratis pool list --name=
stratis pool list --stopped --name zz
stratis pool list --stopped --uuid 0c2caf641dde41beb40bed6911f75c74
stratis pool destroy nope
stratis pool rename nope other
stratis pool stop --name=nope
stratis pool stop --uuid=0c2caf641dde41beb40bed6911f75c74
stratis pool start --name=nope
stratis pool start --uuid=0c2caf641dde41beb40bed6911f75c74
stratis pool start --name=nope --unlock-method=clevis
stratis pool start --uuid={0C2CAF64-1dde-41be-b40b-ed6911f75c74} --unlock-method=keyring
stratis pool start --name=nope --unlock-method=any
stratis pool start --name=nope --token-slot=3
stratis pool init-cache nope /dev/a
stratis pool add-data nope /dev/a
stratis pool add-cache nope /dev/a
stratis pool extend-data nope
stratis pool set-fs-limit nope 3
stratis pool overprovision nope yes
stratis pool debug get-object-path --name=nope
stratis pool debug get-metadata --name=nope
stratis pool bind tpm2 nope
stratis pool bind keyring nope k
stratis pool rebind clevis nope
stratis pool unbind clevis nope
stratis pool encryption on --name nope --in-place
stratis pool encryption off --name nope --in-place
stratis pool encryption reencrypt --uuid urn:uuid:0c2caf64-1dde-41be-b40b-ed6911f75c74 --in-place
stratis fs list nope
stratis fs list nope --name=f
stratis blockdev list nope
stratis fs create nope f
stratis fs destroy nope f
stratis fs snapshot nope f s
stratis fs rename nope f g
stratis fs set-size-limit nope f 1GiB
stratis fs unset-size-limit nope f
stratis fs schedule-revert nope f
stratis fs cancel-revert nope f
stratis fs debug get-object-path --name=f
stratis fs debug get-metadata nope
stratis blockdev debug get-object-path --uuid=0c2caf641dde41beb40bed6911f75c74
stratis key unset zz
stratis key reset zz --keyfile-path={file:key}
stratis key set new --keyfile-path=/nope
`;

export const POOLS = `
stratis pool create data /dev/sdc
stratis pool create data /dev/x
stratis pool create new /dev/sdc
stratis pool create new /dev//x/../sdc
stratis pool create new /dev/sdc /dev/x
stratis pool create data /dev/sdc
stratis pool create 'a b' /dev/a
stratis pool create two /dev/t1 /dev//t1 --no-overprovision
stratis pool add-data two /dev/t2
stratis pool create 漢字 /dev/k
stratis pool create ab́c /dev/k2
stratis pool create -- -dash /dev/d
stratis pool create .. /dev/y
stratis pool create a/b /dev/y
stratis pool create '' /dev/y
stratis pool create '  ' /dev/y
stratis pool create bad relative
stratis pool destroy bad
stratis pool create journal /dev/j --journal-size=131079KiB
stratis pool create journal /dev/j --journal-size=18446744073709551616B
stratis pool create journal /dev/j --journal-size=128MiB --tag-spec 32b
stratis pool create plain /dev/p --integrity=no
stratis pool create nokey /dev/n --key-desc=unknown
stratis pool create mid --no-overprovision /dev/m1
stratis pool
stratis pool list
stratis --unhyphenated-uuids pool list
stratis pool list --name=data
stratis pool list --name data
stratis pool list --uuid={pool:data}
stratis pool list --uuid={{pool:data}}
stratis pool list --uuid=urn:uuid:{pool:data}
stratis pool list --name=two
stratis pool list --name=漢字
stratis --unhyphenated-uuids pool list --name=data
stratis pool list --na=data
stratis pool list --name=Data
stratis pool debug get-object-path --name=data
stratis pool debug get-object-path --uuid={pool:two}
stratis pool debug get-metadata --name=data
stratis pool debug get-metadata --name=data --pretty
stratis pool debug get-metadata --uuid={pool:data} --written
stratis blockdev
stratis blockdev list data
stratis blockdev list two
stratis --unhyphenated-uuids blockdev list two
stratis blockdev debug get-object-path --uuid={device:/dev/sdc}
stratis pool add-data data /dev/sdc /dev/x
stratis pool add-data data /dev/sdc
stratis pool add-data data /dev/t1
stratis pool add-data data /dev/t1 /dev/t2
stratis pool add-data data /dev/t1 /dev/k
stratis pool add-data nope /dev/sdc
stratis pool add-data data /dev/e
stratis pool add-data data /dev/f
stratis pool add-data data /dev/e /dev/f /dev/g /dev/h
stratis pool add-data data relative
stratis blockdev list data
stratis pool add-cache data /dev/c1
stratis pool add-cache data /dev/sdc
stratis pool init-cache data /dev/e
stratis pool init-cache data /dev/c1
stratis pool add-cache data /dev/c2
stratis pool init-cache data /dev/c3
stratis pool add-data data /dev/c1
stratis pool add-data two /dev/c1 /dev/c2
stratis pool add-cache data /dev/c1
stratis pool add-cache data /dev/c1 /dev/c3
stratis pool add-cache data /dev/t1
stratis pool add-cache data /dev/c4
stratis pool init-cache two /dev/c1
stratis blockdev list data
stratis pool list --name=data
stratis pool extend-data data
stratis pool extend-data data --device-uuid
stratis pool extend-data data --device-uuid={device:/dev/sdc}
stratis pool extend-data data --device-uuid={device:/dev/sdc} --device-uuid={device:/dev/e}
stratis pool extend-data data --device-uuid {device:/dev/t1}
stratis pool set-fs-limit data 100
stratis pool set-fs-limit data 100
stratis pool set-fs-limit data ' 1_00 '
stratis pool set-fs-limit data 1
stratis pool set-fs-limit data 1000000
stratis pool set-fs-limit data +1000000
stratis pool overprovision data yes
stratis pool overprovision data no
stratis pool overprovision data no
stratis pool overprovision two no
stratis pool overprovision two yes
stratis pool rename data data
stratis pool rename data two
stratis pool rename data renamed
stratis pool rename renamed a/b
stratis pool rename renamed data
stratis pool encryption on --name data
stratis pool encryption off --name data
stratis pool encryption off --name data --in-place
stratis pool encryption reencrypt --uuid {pool:data}
stratis pool encryption reencrypt --name data --in-place
stratis pool encryption on --name data --in-place
stratis report
stratis report engine_state_report --no-sort-keys
stratis report managed_objects_report
stratis pool destroy journal
stratis pool destroy journal
stratis pool destroy -dash
stratis pool destroy -- -dash
stratis pool list
`;

export const STOPPED = `
stratis pool create data /dev/a
stratis pool add-data data /dev/b
stratis fs create data f
stratis pool create other /dev/c
stratis pool stop --name=data
stratis pool stop --name=data
stratis pool stop --uuid={stopped:data}
stratis pool list
stratis pool list --stopped
stratis --unhyphenated-uuids pool list --stopped
stratis pool list --stopped --name=data
stratis pool list --stopped --uuid={stopped:data}
stratis --unhyphenated-uuids pool list --stopped --name data
stratis pool list --stopped --name=other
stratis report stopped_pools
stratis report stopped_pools --no-sort-keys
stratis report
stratis pool create data /dev/d
stratis pool stop --name=data
stratis pool list --stopped
stratis pool start --name=data
stratis pool start --uuid={stopped:data}
stratis pool create again /dev/a
stratis pool start --name=other
stratis pool start --name=other --unlock-method=any
stratis pool start --uuid={pool:other} --token-slot=1
stratis pool stop --uuid={pool:other}
stratis pool start --name=other --unlock-method=clevis
stratis pool start --name=other --unlock-method=keyring
stratis pool start --name=other --unlock-method=any
stratis pool start --name=other --token-slot=1
stratis pool start --name=other --keyfile-path={file:key}
stratis pool start --name=other --keyfile-path=/nope
stratis pool start --name=other --remove-cache
stratis pool start --name=other
stratis pool list
stratis fs
`;
