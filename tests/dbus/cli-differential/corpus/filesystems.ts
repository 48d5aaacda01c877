/** Filesystems, snapshots and their sizes. */

export const FILESYSTEMS = `
stratis pool create data /dev/a
stratis pool create two /dev/b
stratis fs create data home
stratis fs create data home
stratis filesystem create data www --size=2TiB
stratis fs create data limited --size=1GiB --size-limit=3GiB
stratis fs create data equal --size=1GiB --size-limit=1GiB
stratis fs create data wrong --size=2GiB --size-limit=1GiB
stratis fs create data small --size=31MiB
stratis fs create data zero --size=0B
stratis fs create data home new
stratis fs create data home www new newer
stratis fs create data one one
stratis fs create two home
stratis fs create two 漢字
stratis fs create two 'a b'
stratis fs create two a/b
stratis fs create two ''
stratis fs create two -- -f
stratis fs create two leading --size=0001GiB
stratis fs create two newline --size='1GiB\\n'
stratis fs
stratis fs list
stratis filesystem list data
stratis fs list two
stratis --unhyphenated-uuids fs list two
stratis fs list data --name=home
stratis fs list data --name limited
stratis fs list two --name=漢字
stratis fs list data --uuid={filesystem:www}
stratis --unhyphenated-uuids fs list data --uuid={filesystem:www}
stratis fs list data --name=nope
stratis fs list two --uuid={filesystem:www}
stratis fs snapshot data home home-snap
stratis fs snapshot data home home-snap
stratis fs snapshot data home www
stratis fs snapshot data nope s
stratis fs snapshot data home a/b
stratis fs list data --name=home-snap
stratis --unhyphenated-uuids fs list data --name=home-snap
stratis fs schedule-revert data home
stratis fs schedule-revert data nope
stratis fs cancel-revert data home-snap
stratis fs cancel-revert data home
stratis fs schedule-revert data home-snap
stratis fs schedule-revert data home-snap
stratis fs list data --name=home-snap
stratis fs destroy data home
stratis fs destroy data home-snap
stratis fs cancel-revert data home-snap
stratis fs cancel-revert data home-snap
stratis fs snapshot data home-snap second
stratis fs rename data home home
stratis fs rename data home www
stratis fs rename data nope x
stratis fs rename data home a/b
stratis fs rename data home house
stratis fs rename data house home
stratis fs set-size-limit data home 2TiB
stratis fs set-size-limit data home 2TiB
stratis fs set-size-limit data home 2048GiB
stratis fs set-size-limit data home 1GiB
stratis fs set-size-limit data home current
stratis fs set-size-limit data home current
stratis fs set-size-limit data nope current
stratis fs set-size-limit data home 0B
stratis fs list data
stratis fs list data --name home
stratis fs unset-size-limit data home
stratis fs unset-size-limit data home
stratis fs unset-size-limit data nope
stratis fs debug get-object-path --name=www
stratis fs debug get-object-path --uuid={filesystem:www}
stratis fs debug get-object-path --name=nope
stratis fs debug get-metadata data
stratis fs debug get-metadata data --pretty
stratis fs debug get-metadata data --fs-name=home
stratis fs debug get-metadata data --fs-name nope --written
stratis report managed_objects_report
stratis report
stratis pool destroy data
stratis fs destroy data nope
stratis fs destroy data home nope
stratis fs destroy data nope none home
stratis fs destroy data home www
stratis fs destroy two home
stratis fs destroy two -- -f
stratis fs destroy two '漢字'
stratis fs list two
stratis pool list
stratis pool list --name=data
`;

/** As many as the limit of a new pool allows, and one more. */
export const LIMITS = `
stratis pool create small /dev/a
${Array.from({ length: 11 }, (_, index) => `stratis fs create small f${index} --size=1GiB`).join("\n")}
stratis fs snapshot small f0 s
stratis pool set-fs-limit small 11
stratis fs snapshot small f0 s
stratis pool set-fs-limit small 10
stratis fs list small
stratis pool overprovision small no
stratis fs create small huge --size=1PiB
stratis pool destroy small
`;
