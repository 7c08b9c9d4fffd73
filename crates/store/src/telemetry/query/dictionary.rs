//! The different values of a column, without looking at its rows.

use std::{fs::File, sync::Arc};

use parquet::{
    basic::Encoding,
    column::page::{Page, PageReader as _},
    errors::ParquetError,
    file::{metadata::RowGroupMetaData, serialized_reader::SerializedPageReader},
};

/// The different values of the texts in `column`; `None` when they are not all in a dictionary, because they were too
/// many.
pub(super) fn values(
    opened: &File,
    group: &RowGroupMetaData,
    column: &str,
) -> Result<Option<Vec<Vec<u8>>>, ParquetError> {
    let Some(chunk) = group.columns().iter().find(|chunk| chunk.column_path().string() == column) else {
        return Ok(None);
    };
    let is_whole = chunk
        .page_encoding_stats_mask()
        .is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY));
    if !is_whole || chunk.dictionary_page_offset().is_none() {
        return Ok(None);
    }
    let rows = usize::try_from(group.num_rows()).unwrap_or(0);
    let mut pages = SerializedPageReader::new(Arc::new(opened.try_clone()?), chunk, rows, None)?;
    match pages.get_next_page()? {
        Some(Page::DictionaryPage { buf, .. }) => Ok(Some(plain_texts(&buf))),
        _ => Ok(None),
    }
}

/// Values in PLAIN encoding: a 32-bit length in front of each.
fn plain_texts(mut octets: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    while let Some((length, rest)) = octets.split_first_chunk::<4>() {
        let Some((text, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { break };
        texts.push(text.to_vec());
        octets = rest;
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_with_the_octets() {
        assert_eq!(plain_texts(b"\x01\0\0\0a\0\0\0\0\x02\0\0\0bc"), [&b"a"[..], b"", b"bc"]);
        for cut in [&b"\x01\0\0"[..], b"\xff\xff\xff\xffa", b""] {
            assert!(plain_texts(cut).is_empty());
        }
    }
}
