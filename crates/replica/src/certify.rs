//! Certificates and signatures of fetched blocks, checked wherever there is time: the replica's thread has none.

use types::{
    Block, Certificate, Certified, ChainId, Committee, Hash, Height, Transaction, Verified, codec,
};

/// Blocks a neighbour gave us, to be checked on any thread, and then fed back as [`crate::Event::Checked`].
#[derive(Clone, Debug)]
pub struct Unchecked {
    pub(crate) id: u64,
    pub(crate) chain: ChainId,
    /// The committee that we know. Who certifies what comes after its last block we know when we are there.
    pub(crate) committee: Committee,
    pub(crate) blocks: Vec<(Block, Certificate)>,
}

/// What became of them.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(crate) id: u64,
    /// Sound, in order.
    pub(crate) ready: Vec<Ready>,
    /// Of a committee that we do not know yet.
    pub(crate) rest: Vec<(Block, Certificate)>,
    /// What is wrong with the first block that is not sound.
    pub(crate) fault: Option<String>,
}

/// A certified block with nothing left to check but what it does.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) certified: Certified,
    pub(crate) transactions: Vec<Verified>,
    pub(crate) bytes: usize,
}

impl Unchecked {
    /// How many blocks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Checks them, up to the first that is not sound: its certificate, its transactions and their signatures.
    ///
    /// A certificate speaks for the header, and the header for the ids of the transactions. What a neighbour may still
    /// have changed are signatures and operations, which the ids do not hold; so they are checked here, or a liar could
    /// make us believe that a quorum agreed on nonsense.
    #[must_use]
    pub fn check(self) -> Checked {
        let Self { id, chain, committee, blocks } = self;
        let digest = committee.digest();
        let mut checked = Checked { id, ready: Vec::new(), rest: Vec::new(), fault: None };
        let mut announced: Option<Hash> = None;
        let mut blocks = blocks.into_iter();
        while let Some((block, certificate)) = blocks.next() {
            let (height, header) = (block.header.height, block.header);
            if announced.is_some_and(|committee| committee != header.committee) {
                checked.fault = Some(format!("block {height} is not of the committee announced"));
                break;
            }
            if header.committee != digest {
                checked.rest.push((block, certificate));
                checked.rest.extend(blocks);
                break;
            }
            match ready(block, certificate, &chain, &committee) {
                Ok(ready) => checked.ready.push(ready),
                Err(why) => {
                    checked.fault = Some(format!("block {height}: {why}"));
                    break;
                }
            }
            announced = Some(header.next_committee);
        }
        checked
    }
}

fn ready(
    block: Block,
    certificate: Certificate,
    chain: &ChainId,
    committee: &Committee,
) -> Result<Ready, String> {
    let bytes = codec::length(&block);
    let certified = Certified::verify(block, certificate, chain, committee)
        .map_err(|error| error.to_string())?;
    let verified = Transaction::verify_all(certified.block().transactions.clone(), chain);
    let transactions = verified.map_err(|error| format!("transaction: {error}"))?;
    Ok(Ready { certified, transactions, bytes })
}

impl Ready {
    pub(crate) const fn height(&self) -> Height {
        self.certified.height()
    }
}
