//! Who sat in the committee when: from genesis on, one certified change after another.

use crate::{
    error::{HandoverError, ProofError},
    receipt::Hop,
    trust::TrustRoot,
    verify::certified,
};
use types::{Committee, Hash, Height};

/// The committees of a chain, oldest first, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Succession(Vec<Reign>);

/// A committee, and the first height it certifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reign {
    pub(crate) from: Height,
    pub(crate) committee: Committee,
    pub(crate) digest: Hash,
}

impl Succession {
    /// The one committee that genesis names.
    pub(crate) fn genesis(committee: Committee) -> Self {
        Self(vec![Reign { from: Height(1), digest: committee.digest(), committee }])
    }

    /// The committee that certifies a height, for all that is known.
    pub(crate) fn at(&self, height: Height) -> &Reign {
        let next = self.0.partition_point(|reign| reign.from <= height);
        // Height 0 is certified by nobody; whoever asks finds that the signatures do not fit.
        &self.0[next.saturating_sub(1)]
    }

    /// The last committee known.
    pub(crate) fn last(&self) -> &Reign {
        self.0.last().expect("genesis names a committee")
    }

    /// How often the committee had changed when a height was certified.
    pub(crate) fn changes_before(&self, height: Height) -> usize {
        self.0.partition_point(|reign| reign.from <= height).saturating_sub(1)
    }

    /// From which block on a committee sat that began by `until`, if it is known to have sat.
    ///
    /// No ledger hands over to one that did: else a proof could leave out what was in between, and whoever believed it
    /// would take the honest account for a contradiction.
    fn sat(&self, digest: &Hash, until: Height) -> Option<Height> {
        let sat = |reign: &&Reign| reign.from <= until && reign.digest == *digest;
        self.0.iter().find(sat).map(|reign| reign.from)
    }

    /// Every reign, oldest first.
    pub(crate) fn reigns(&self) -> impl Iterator<Item = &Reign> {
        self.0.iter()
    }

    /// Follows a proof's handover, from what a trust root knows, to the committee that certifies heights up to `limit`.
    ///
    /// Of a block saved there all that was certified before it is known, and a file that says otherwise, under good
    /// signatures, is evidence of a fork.
    ///
    /// # Errors
    /// The first thing wrong with the first change that does not hold.
    pub(crate) fn follow(
        root: &TrustRoot,
        hops: &[Hop],
        limit: Height,
    ) -> Result<Self, ProofError> {
        let chain = root.chain();
        let saved = root.checkpoint().map(|saved| saved.header().height);
        let mut known = root.succession().clone();
        let mut before = None;
        for (index, hop) in hops.iter().enumerate() {
            let header = &hop.header;
            if header.chain != *chain {
                return Err(ProofError::Chain { found: header.chain, wanted: *chain });
            }
            let next = hops.get(index + 1).map_or(limit, |hop| hop.header.height.min(limit));
            if header.height >= next || before.is_some_and(|before| header.height <= before) {
                let (found, limit) = (header.height, next);
                return Err(ProofError::Handover(HandoverError::Order { found, limit }));
            }
            before = Some(header.height);
            let committee = new_committee(hop)?;
            if let Some(from) = known.sat(&header.next_committee, header.height) {
                let height = header.height;
                return Err(ProofError::Handover(HandoverError::Again { height, from }));
            }
            let reign = known.at(header.height);
            let (found, wanted) = (header.committee, reign.digest);
            if found != wanted {
                return Err(ProofError::TrustRoot { found, wanted });
            }
            let (found, wanted) = (hop.certificate.signatures.len(), reign.committee.quorum());
            if found > wanted {
                return Err(ProofError::Handover(HandoverError::Excess { found, wanted }));
            }
            certified(chain, header, &hop.certificate, &reign.committee)?;
            root.fits(header)?;
            if saved.is_none_or(|saved| header.height >= saved) {
                let from = header.height.plus(1);
                known.0.push(Reign { from, committee, digest: header.next_committee });
            }
        }
        Ok(known)
    }
}

/// The committee that a change hands over to.
fn new_committee(hop: &Hop) -> Result<Committee, ProofError> {
    let Hop { header, committee, .. } = hop;
    if header.next_committee == header.committee {
        return Err(ProofError::Handover(HandoverError::Same { height: header.height }));
    }
    let committee = Committee::new(committee.clone())
        .map_err(|why| ProofError::Handover(HandoverError::Seats(why)))?;
    let (found, wanted) = (committee.digest(), header.next_committee);
    if found == wanted {
        Ok(committee)
    } else {
        Err(ProofError::Handover(HandoverError::Committee { found, wanted }))
    }
}
