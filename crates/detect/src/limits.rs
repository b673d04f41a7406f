//! Every limit of the engine, in one table, with what happens at it. All state is bounded by these.

/// Slots of the shingle table. Full buckets forget the shingle that fewest payers sent, oldest first.
pub const SHINGLES_MAX: usize = 1 << 22;
/// Accounts kept. Records of further accounts are counted and not tested.
pub const ACCOUNTS_MAX: usize = 2_000_000;
/// Accounts whose facts wait for their first exchange. Of further ones the facts that were told first are forgotten.
pub const FACTS_MAX: usize = 4_000_000;
/// Clusters kept. Further shared texts found no new cluster.
pub const CLUSTERS_MAX: usize = 1 << 17;
/// Fingerprints in one skeleton. Later ones are not added.
pub const SKELETON_MAX: usize = 512;
/// Clusters remembered per account. A new one replaces the one the account used least, of those that are not tested.
pub const TALLIES_MAX: usize = 32;
/// Clusters that one exchange may count for; those it shares most with are taken.
pub const MATCHES_MAX: usize = 4;
/// Exhibits kept per cluster.
pub const SAMPLES_MAX: usize = 12;
/// Bytes of all exhibits together. Beyond it the oldest are forgotten, but for those of campaigns that were found.
pub const EXHIBITS_BYTES_MAX: usize = 128 << 20;
/// Payers of a group whose likeness is followed: the first to come. Later ones say nothing about it.
pub const LIKENESS_PAYERS_MAX: usize = 1024;
/// Payers whose likeness is followed in all groups together, each as often as it is in one. When there are so many, new ones say nothing until groups end.
pub const LIKENESS_PAYERS_ALL_MAX: usize = 1_000_000;
/// Members of a cluster that a look goes through, at most. Of more an even sample is looked at.
pub const LOOKED_AT_MAX: usize = 1 << 15;
/// Groups that a group is compared with: the latest.
pub const COMPARED_MAX: usize = 512;
/// Work items followed per trial: those with the smallest hashes, so that shards agree on which.
pub const ITEMS_MAX: usize = 512;
/// Address blocks and network operators that an account used beside its first: the latest. Earlier ones are forgotten.
pub const ADDRESSES_MAX: usize = 16;
/// Sign-up times kept to know how many accounts signed up when: evenly spaced among all, in order.
pub const SIGN_UPS_MAX: usize = 1 << 16;
/// Distinct values of infrastructure kept. Further values are as if unknown.
pub const VALUES_MAX: usize = 8_000_000;
/// Values of which the name is kept that stands behind a hash (models, client software, settings), of at most
/// [`event::NAME_BYTES_MAX`] bytes or so. Further ones are told by their hash.
pub const NAMES_MAX: usize = 1 << 17;
/// Groups found by shared infrastructure that are followed at once, and as many by sign-up.
pub const GROUPS_MAX: usize = 256;
/// Groups of clusters that the same accounts send, that are followed at once.
pub const VARIANTS_MAX: usize = 256;
/// Served outputs remembered, to know them again as input. The oldest are forgotten.
pub const OUTPUTS_MAX: usize = 1 << 20;
/// Days of one epoch: at its turn what is idle is forgotten and what is known of all traffic together fades by half.
pub const EPOCH_DAYS: i64 = 30;
/// Days after which an account or a cluster that nobody used is forgotten at the turn of an epoch, whatever was found of it; and a trial that
/// detected nothing begins anew.
pub const FORGOTTEN_DAYS: i64 = 90;
/// Events that may wait for earlier ones where no watermark says that none come.
pub const WAITING_MAX: usize = 16_384;
/// Events that may wait besides, behind one that is held back.
pub const HELD_BACK_MAX: usize = 65_536;
/// Exchanges that are known when they come again: the latest.
pub const RECENT_MAX: usize = 1 << 16;
/// Trials that are told as proposed when one next asks what changed: the latest.
pub const PROPOSED_MAX: usize = 4096;
/// Groups that are explained in a finding although not reported.
pub const CLEARED_MAX: usize = 50;
/// Values of infrastructure by which a payer is put into a community; an even sample stands for more.
pub const HELD_MAX: usize = 64;
/// Campaigns that keep their numbers. Of further ones those that were withdrawn longest ago are new when they come back.
pub const CAMPAIGNS_MAX: usize = 1024;
/// Campaigns counted among those that are reported, for the threshold of what else is.
pub const CONTENDERS_MAX: usize = 256;
/// Members that hold a value before it is told that they share it.
pub const SHARED_HOLDERS_MIN: usize = 2;
/// How many times as often as everybody else members have to hold a value for that.
pub const SHARED_RATIO_MIN: f64 = 2.0;
/// Values of a campaign of which it is told that members share them: the most particular to it.
pub const SHARED_MAX: usize = 40;
