//! The kept corpus through every target, without a fuzzer.

use std::{fs, path::Path};

#[test]
fn the_kept_corpus_finds_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in hotstage_fuzz::TARGETS {
        let inputs: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() > 1, "{name} has no corpus");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            target(&data);
            // Every beginning of it as well: the truncations.
            for end in (0..data.len()).step_by(1 + data.len() / 200) {
                target(&data[..end]);
            }
        }
    }
}
