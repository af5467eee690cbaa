INSERT INTO told_stock (sku, word, told_at_ms) VALUES ('MUG-BLUE', 'low', 1790000070000);
INSERT INTO erp_buffer (order_id, version, kind, state, created_at_ms, channel, payload) VALUES (NULL, 1, 'stock.low', 'waiting', 1790000070000, 'events', '{"sku": "MUG-BLUE", "available": 6, "version": 1, "epoch": 1}');
