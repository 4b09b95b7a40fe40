//! Proofs that a validator said two things: checked, each kept once, not more than anyone needs, and never lost.

use anyhow::Context as _;
use consensus::{Evidence, Place};
use proof::{Said, VotesClaim};
use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
};
use types::{ChainId, Committee, Height, PublicKey, codec, vote::Proposal};

/// The file's name in the directory of a ledger.
pub const FILE: &str = "evidence.hex";
/// How many are kept.
const KEPT_MAX: usize = 10_000;
/// How many of them against one key: who lied a hundred times is not more convicted by the next lie, and who lies without
/// end must not take the places of the evidence against others.
const OF_KEY_MAX: usize = 100;

/// Evidence as a proof claims it, the lesser of the two sayings first.
#[must_use]
pub fn claim(evidence: &Evidence) -> VotesClaim {
    match evidence {
        Evidence::Votes([(vote, one), (other, two)]) => {
            let (step, seat) = (vote.step, vote.seat);
            let mut said = [(vote.block, *one), (other.block, *two)];
            said.sort_by_key(|(block, _)| *block);
            let [(first, one), (second, two)] = said;
            VotesClaim {
                height: vote.height,
                round: vote.round,
                seat,
                said: Said::Votes { step, first, second },
                signatures: (one, two),
            }
        }
        Evidence::Proposals([(proposal, one), (other, two)]) => {
            let of = |proposal: &Proposal| (proposal.block, proposal.valid_round);
            let mut said = [(of(proposal), *one), (of(other), *two)];
            said.sort_by_key(|(what, _)| *what);
            let [(first, one), (second, two)] = said;
            VotesClaim {
                height: proposal.height,
                round: proposal.round,
                seat: proposal.seat,
                said: Said::Proposals { first, second },
                signatures: (one, two),
            }
        }
    }
}

/// Where evidence shows that two things were said, and whose key said them. Each committee numbers its seats anew, so a seat
/// names nobody without its height; a key does.
#[must_use]
pub fn convicted(
    evidence: &Evidence,
    chain: &ChainId,
    committee: &Committee,
) -> Option<(Place, PublicKey)> {
    let place = evidence.convicts(chain, committee)?;
    let (_, _, _, seat) = place;
    Some((place, committee.seat(seat)?.key))
}

/// The evidence a node holds.
#[derive(Debug)]
pub struct Records {
    file: File,
    /// Whether a crash cut the last line short, which must not swallow the next.
    is_torn: bool,
    kept: BTreeMap<Place, Evidence>,
    /// How many of them convict each key.
    of_key: BTreeMap<PublicKey, usize>,
}

impl Records {
    /// The evidence in a directory's file, one piece a line, in hexadecimal of its canonical form.
    ///
    /// # Errors
    /// When the file cannot be read or written. Lines that convict nobody, or for which there is no room, are passed over.
    pub fn open(
        directory: &Path,
        chain: &ChainId,
        committee: impl Fn(Height) -> Committee,
    ) -> anyhow::Result<Self> {
        let path = directory.join(FILE);
        // Damage costs the lines it is in, and no others; so bytes that are no text are read, too.
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            // Nothing is added while the disk is read-only, and what is there can still be shown.
            .or_else(|error| File::open(&path).map_err(|_also| error))
            .with_context(|| format!("cannot open {}", path.display()))?;
        // It is ended before the next one is written: where nothing can be written, all that is there can still be shown.
        let is_torn = bytes.last().is_some_and(|last| *last != b'\n');
        let mut records = Self { file, is_torn, kept: BTreeMap::new(), of_key: BTreeMap::new() };
        let text = String::from_utf8_lossy(&bytes);
        let decode = |line: &str| codec::decode::<Evidence>(&codec::unhex(line)?).ok();
        for evidence in text.lines().filter_map(decode) {
            let whom = convicted(&evidence, chain, &committee(evidence.height()));
            if let Some((place, key)) = whom
                && records.has_room(&place, &key)
            {
                records.keep(place, key, evidence);
            }
        }
        Ok(records)
    }

    /// Keeps a piece of evidence, if it convicts somebody of something not known yet, and there is room. Says whether it did.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(
        &mut self,
        evidence: Evidence,
        chain: &ChainId,
        committee: &Committee,
    ) -> std::io::Result<bool> {
        let Some((place, key)) = convicted(&evidence, chain, committee) else { return Ok(false) };
        if !self.has_room(&place, &key) {
            return Ok(false);
        }
        if self.is_torn {
            writeln!(self.file)?;
            self.is_torn = false;
        }
        writeln!(self.file, "{}", codec::hex(&codec::encode(&evidence)))?;
        self.file.sync_data().map_err(std::io::Error::other)?;
        self.keep(place, key, evidence);
        Ok(true)
    }

    /// Whether evidence of this place may be kept: there is none yet, and not too much, of this key or in all.
    fn has_room(&self, place: &Place, key: &PublicKey) -> bool {
        let of_key = self.of_key.get(key).copied().unwrap_or_default();
        !self.kept.contains_key(place) && of_key < OF_KEY_MAX && self.kept.len() < KEPT_MAX
    }

    fn keep(&mut self, place: Place, key: PublicKey, evidence: Evidence) {
        self.kept.insert(place, evidence);
        *self.of_key.entry(key).or_default() += 1;
    }

    /// All of it, by place.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Evidence)> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::{
        AgencyCode, BlockId, Hash, Round, SecretKey, Validator,
        vote::{Step, Vote},
    };

    const CHAIN: ChainId = ChainId(Hash([3; 32]));

    fn secret(holder: u8) -> SecretKey {
        SecretKey::from_seed([holder; 32])
    }

    /// After block 50 the holder of the third seat leaves, and the fourth moves up.
    fn committee(height: Height) -> Committee {
        let holders: [u8; 4] = if height <= Height(50) { [1, 2, 3, 4] } else { [1, 2, 4, 5] };
        let seats = holders.map(|holder| Validator {
            agency: AgencyCode::new("91350100M000100Y43").unwrap(),
            name: "机构".parse().unwrap(),
            key: secret(holder).public(),
        });
        Committee::new(Vec::from(seats)).unwrap()
    }

    /// Two votes in one place, in the seat that the holder has at that height.
    fn two_votes(height: u64, holder: u8) -> Evidence {
        let (height, secret) = (Height(height), secret(holder));
        let seat = committee(height).index_of(&secret.public()).unwrap();
        let vote = |n: u8| {
            let (round, step, block) = (Round(0), Step::Prevote, Some(BlockId(Hash([n; 32]))));
            let vote = Vote { height, round, step, block, seat };
            (vote, vote.sign(&CHAIN, &secret))
        };
        Evidence::Votes([vote(1), vote(2)])
    }

    fn add(records: &mut Records, height: u64, holder: u8) -> bool {
        let committee = committee(Height(height));
        records.add(two_votes(height, holder), &CHAIN, &committee).unwrap()
    }

    #[test]
    fn a_seat_names_its_holder_at_that_height_and_nobody_else() {
        let (old, new) = (Height(50), Height(51));
        for (height, holder, seat) in [(old, 3, 2), (old, 4, 3), (new, 4, 2), (new, 5, 3)] {
            let evidence = two_votes(height.0, holder);
            let expected = ((height, Round(0), 1, seat), secret(holder).public());
            assert_eq!(convicted(&evidence, &CHAIN, &committee(height)), Some(expected));
            let other = if height == old { new } else { old };
            assert_eq!(convicted(&evidence, &CHAIN, &committee(other)), None);
        }
    }

    #[test]
    fn who_lies_without_end_takes_no_place_of_others() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Records::open(directory.path(), &CHAIN, committee).unwrap();
        let mut records = open();
        // Its key is counted, in whatever seat.
        let many = u64::try_from(OF_KEY_MAX).unwrap();
        for height in 1..=many + 2 {
            assert_eq!(add(&mut records, height, 4), height <= many, "{height}");
        }
        assert!(add(&mut records, 50, 3) && add(&mut records, many + 2, 5));
        // And after a restart.
        let mut records = open();
        assert_eq!(records.iter().count(), OF_KEY_MAX + 2);
        assert!(!add(&mut records, many + 3, 4));
        assert!(add(&mut records, 49, 3) && add(&mut records, 49, 1));
    }

    #[test]
    fn a_line_cut_short_costs_itself_alone_and_no_write_until_there_is_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        let line = |height| codec::hex(&codec::encode(&two_votes(height, 4)));
        let torn = format!("{}\n{}", line(1), &line(2)[..100]);
        std::fs::write(&path, &torn).unwrap();
        let open = || Records::open(directory.path(), &CHAIN, committee).unwrap();
        let mut records = open();
        assert_eq!(records.iter().count(), 1);
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found, torn, "a disk that is full or read-only is served from");
        assert!(add(&mut records, 3, 4) && add(&mut records, 4, 4));
        assert_eq!(open().iter().count(), 3, "what was added is there");
    }

    #[test]
    fn a_file_that_a_liar_had_filled_has_room_for_others_again() {
        let directory = tempfile::tempdir().unwrap();
        let many = u64::try_from(OF_KEY_MAX).unwrap();
        let line = |height| codec::hex(&codec::encode(&two_votes(height, 4)));
        let lines: Vec<String> = (1..=many + 50).map(line).collect();
        std::fs::write(directory.path().join(FILE), lines.join("\n") + "\n").unwrap();
        let mut records = Records::open(directory.path(), &CHAIN, committee).unwrap();
        assert_eq!(records.iter().count(), OF_KEY_MAX);
        assert!(add(&mut records, 1, 1));
        let records = Records::open(directory.path(), &CHAIN, committee).unwrap();
        assert_eq!(records.iter().count(), OF_KEY_MAX + 1, "what was added is there");
    }
}
