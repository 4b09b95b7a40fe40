//! Records are found by the document they commit to, and by no other, however much two digests have in common.

use super::*;
use types::Digest;

#[test]
fn documents_whose_digests_begin_alike_are_told_apart() {
    let mut chain = Chain::new();
    let digest = |last: u8| {
        let mut digest = Digest::blake3(b"a document");
        digest.bytes[31] = last;
        digest
    };
    // In turn, so that each is found among the others.
    for n in 0..9 {
        let mut done = operation(action(&format!("trace urn:b:{n}")), n);
        done.commitment.document = digest(u8::try_from(n % 3).unwrap());
        let tx = chain.sign(0, vec![done]);
        let (block, outcome, refused) = chain.block(&[tx]);
        assert_eq!(refused, []);
        chain.append(block, outcome);
    }
    let found = |last, from, limit| query::by_document(&chain.state, &digest(last), from, limit);
    for last in 0..3 {
        let all = [0, 3, 6].map(|first| first + u64::from(last));
        assert_eq!(found(last, 0, 9), all);
        assert_eq!(found(last, 0, 2), all[..2]);
        assert_eq!(found(last, all[0] + 1, 9), all[1..]);
        assert_eq!(found(last, all[2], 1), all[2..]);
        assert_eq!(found(last, 0, 0), []);
    }
    assert_eq!(found(3, 0, 9), []);
}
