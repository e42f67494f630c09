-- A page of traces reads a few rows in each of some dozen granules, of all of these columns: in blocks of 64 KiB it unpacks up to 32 granules for one.
ALTER TABLE spans MODIFY COLUMN trace_id MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN span_id MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN parent_span_id MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN start MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN duration_nano MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN service MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN name MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN kind MODIFY SETTING min_compress_block_size = 16384;
ALTER TABLE spans MODIFY COLUMN status MODIFY SETTING min_compress_block_size = 16384;
