//! The built-in networks: those of Teku and Lighthouse, by the names that Web3Signer takes.
//!
//! To add one, add a row. Sources: the configurations of eth-clients, gnosischain, ethpandaops,
//! consensus-specs, lukso-network, ephemery-testnet and Teku.

use std::borrow::Cow;

use super::network::{Fork, Network, Preset};
use super::primitives::{Epoch, Root, Version};

/// The built-in networks, mainnet first. Where several have the same version, the first is recognised.
///
/// Ephemery starts again every 28 days with the same versions, but with another genesis time and other
/// validators. A signer may run across a restart, so neither is here. The root comes with each request.
#[rustfmt::skip]
pub(super) static BUILT_IN_NETWORKS: [Network; 13] = [
    network("mainnet", Preset::Mainnet, [32, 12, 1_606_824_023], "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        &[0x0000_0000, 0x0100_0000, 0x0200_0000, 0x0300_0000, 0x0400_0000, 0x0500_0000, 0x0600_0000, 0x0700_0000],
        &[74_240, 144_896, 194_048, 269_568, 364_032, 411_392, NEVER]),
    network("sepolia", Preset::Mainnet, [32, 12, 1_655_733_600], "d8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078",
        &[0x9000_0069, 0x9000_0070, 0x9000_0071, 0x9000_0072, 0x9000_0073, 0x9000_0074, 0x9000_0075, 0x9000_0076],
        &[50, 100, 56_832, 132_608, 222_464, 272_640, NEVER]),
    network("hoodi", Preset::Mainnet, [32, 12, 1_742_213_400], "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        &[0x1000_0910, 0x2000_0910, 0x3000_0910, 0x4000_0910, 0x5000_0910, 0x6000_0910, 0x7000_0910, 0x8000_0910],
        &[0, 0, 0, 0, 2_048, 50_688, NEVER]),
    network("holesky", Preset::Mainnet, [32, 12, 1_695_902_400], "9143aa7c615a7f7115e2b6aac319c03529df8242ae705fba9df39b79c59fa8b1",
        &[0x0101_7000, 0x0201_7000, 0x0301_7000, 0x0401_7000, 0x0501_7000, 0x0601_7000, 0x0701_7000, 0x0801_7000],
        &[0, 0, 256, 29_696, 115_968, 165_120, NEVER]),
    network("goerli", Preset::Mainnet, [32, 12, 1_616_508_000], "043db0d9a83813551ee2f33450d23797757d430911a9320530ad8a0eabc43efb",
        &[0x0000_1020, 0x0100_1020, 0x0200_1020, 0x0300_1020, 0x0400_1020],
        &[36_660, 112_260, 162_304, 231_680]),
    network("plataberget", Preset::Mainnet, [32, 12, 1_786_622_400], "bb4a1a9e3f7f4e10edcd734e4acc3b5ffd4f830efe0af2748fa458cfee5d2658",
        &[0x1073_3183, 0x2073_3183, 0x3073_3183, 0x4073_3183, 0x5073_3183, 0x6073_3183, 0x7073_3183, 0x8073_3183],
        &[0, 0, 0, 0, 0, 0, 1_536]),
    network("gnosis", Preset::Mainnet, [16, 5, 1_638_993_340], "f5dcb5564e829aab27264b9becd5dfaa017085611224cb3036f573368dbb9d47",
        &[0x0000_0064, 0x0100_0064, 0x0200_0064, 0x0300_0064, 0x0400_0064, 0x0500_0064, 0x0600_0064, 0x0700_0064],
        &[512, 385_536, 648_704, 889_856, 1_337_856, 1_714_688, NEVER]),
    network("chiado", Preset::Mainnet, [16, 5, 1_665_396_300], "9d642dac73058fbf39c0ae41ab1e34e4d889043cb199851ded7095bc99eb4c1e",
        &[0x0000_006f, 0x0100_006f, 0x0200_006f, 0x0300_006f, 0x0400_006f, 0x0500_006f, 0x0600_006f, 0x0700_006f],
        &[90, 180, 244_224, 516_608, 948_224, 1_353_216, NEVER]),
    network("lukso", Preset::Mainnet, [32, 12, 1_684_858_800], "a27edd68cde5c396f499157945d062a010308ce5ed5719a6b1e12ad2a51b97e6",
        &[0x4200_0001, 0x4200_0002, 0x4200_0003, 0x4200_0004, 0x4200_0005, 0x4200_0006, 0x4200_0007],
        &[0, 0, 8_100, 123_075, 190_800, 238_050]),
    network("ephemery", Preset::Mainnet, [32, 12, 0], "",
        &[0x1000_101b, 0x2000_101b, 0x3000_101b, 0x4000_101b, 0x5000_101b, 0x6000_101b, 0x7000_101b, 0x8000_101b],
        &[0, 0, 0, 0, 0, 0, NEVER]),
    network("minimal", Preset::Minimal, [8, 6, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001, 0x0700_0001],
        &[NEVER, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER]),
    network("swift", Preset::Minimal, [4, 2, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001, 0x0700_0001],
        &[0, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER]),
    // Its file says that only the length of slots and the wait for exits differ from swift.
    network("less-swift", Preset::Minimal, [4, 6, 0], "",
        &[0x0000_0001, 0x0100_0001, 0x0200_0001, 0x0300_0001, 0x0400_0001, 0x0500_0001, 0x0600_0001, 0x0700_0001],
        &[0, NEVER, NEVER, NEVER, NEVER, NEVER, NEVER]),
];

const NEVER: u64 = Epoch::NEVER.0;

/// Makes a network of one row of the table: slots an epoch, seconds a slot and genesis time (0 when it
/// is not known); the root of the validators at genesis (empty when it is not known); versions from
/// PHASE0 to the last known fork, and epochs from ALTAIR on.
const fn network(
    name: &'static str,
    preset: Preset,
    [slots_per_epoch, slot_seconds, genesis_time_seconds]: [u64; 3],
    genesis_validators_root: &str,
    versions: &[u32],
    epochs: &[u64],
) -> Network {
    let genesis_validators_root =
        match const_hex::const_decode_to_array(genesis_validators_root.as_bytes()) {
            Ok(root) => Some(Root(root)),
            Err(_) => None,
        };
    let genesis_time_seconds = if genesis_time_seconds == 0 {
        None
    } else {
        Some(genesis_time_seconds)
    };
    let mut forks = [None; Fork::ALL.len()];
    let mut index = 0;
    while index < versions.len() {
        let epoch = if index == 0 { 0 } else { epochs[index - 1] };
        forks[index] = Some((Version(versions[index].to_be_bytes()), Epoch(epoch)));
        index += 1;
    }
    Network {
        name: Cow::Borrowed(name),
        preset,
        slots_per_epoch,
        slot_ms: slot_seconds * 1000,
        genesis_time_seconds,
        genesis_validators_root,
        forks,
    }
}
