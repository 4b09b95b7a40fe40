//! What it costs to spell values and to read them: a transaction of one operation, of a hundred, and a block of these.

use core::hint::black_box;
use criterion::{Criterion, Throughput};
use types::{
    AgencyCode, Block, BlockId, ChainId, Digest, Hash, Header, Height, Operation, Region,
    SecretKey, Text, Timestamp, Transaction, block, codec,
    operation::{
        Action, Commitment, EventType, Grade, LicenceAction, LicenceFacts, LicenceVerb, Provenance,
        TraceEvent,
    },
    subject::Part,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let single = transaction(1);
    let hundred = transaction(100);
    let block = Block {
        header: Header {
            version: block::VERSION,
            chain: CHAIN,
            height: Height(1),
            time: Timestamp(1_767_225_600_000),
            proposer: 0,
            parent: BlockId::default(),
            payload: Block::payload(&[]),
            log_size: 1000,
            log_root: Hash([1; 32]),
            state_root: Hash([2; 32]),
            committee: Hash([3; 32]),
            next_committee: Hash([3; 32]),
        },
        transactions: vec![hundred.clone(); 10],
    };
    both(&mut criterion, "transaction of 1", &single);
    both(&mut criterion, "transaction of 100", &hundred);
    both(&mut criterion, "block of 1000", &block);
    criterion.final_summary();
}

fn both<T: codec::Wire>(criterion: &mut Criterion, name: &str, value: &T) {
    let bytes = codec::encode(value);
    let mut group = criterion.benchmark_group("codec");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("encode/{name}"), |b| b.iter(|| codec::encode(black_box(value))));
    group.bench_function(format!("decode/{name}"), |b| {
        b.iter(|| codec::decode::<T>(black_box(&bytes)).expect("it was just spelled"));
    });
    group.finish();
}

const CHAIN: ChainId = ChainId(Hash([7; 32]));

fn transaction(operations: u64) -> Transaction {
    let code = AgencyCode::new("11350000MXDEX0015L").expect("the code is sound");
    let secret = SecretKey::from_seed([7; 32]);
    let operations = (0..operations).map(operation).collect();
    Transaction::sign(CHAIN, code, &secret, 1, Height(100), operations)
}

/// Four lots on their way, then a licence.
fn operation(serial: u64) -> Operation {
    let time = Timestamp(1_767_225_600_000);
    let document = Digest::blake3(&serial.to_le_bytes());
    let action = if serial % 5 == 4 {
        Action::Licence(LicenceAction {
            licence: text(&format!("1.2.156.3005.2.11350000MXDEX01033.350000.{serial:012}.001.6")),
            verb: LicenceVerb::Issue(LicenceFacts {
                kind: text("1"),
                region: Region::new("350000").expect("it is a region"),
                valid_from: time,
                valid_until: Some(time.plus(3 * 365 * 86_400_000)),
            }),
        })
    } else {
        let lot = format!("urn:epc:class:lgtin:6901234.056789.{serial:010}");
        let event = format!("urn:uuid:00000000-0000-4000-8000-{serial:012}");
        Action::Trace(TraceEvent {
            event: EventType::Object,
            id: Some(text(&event)),
            time,
            step: Some(text("https://ref.gs1.org/cbv/BizStep-commissioning")),
            lots: vec![(text(&lot), Part::Observed)],
            cbv_hash: Some(Hash(document.bytes)),
            corrects: None,
        })
    };
    Operation {
        action,
        commitment: Commitment { document, content: document, fields: None },
        effective_from: time,
        grade: Grade::Internal,
        provenance: Provenance {
            system: text("capture"),
            version: text("1.4.2"),
            captured_at: time,
        },
    }
}

fn text<const MAX: usize>(words: &str) -> Text<MAX> {
    Text::new(words).expect("what is written here is within the rules")
}
