-- A small shop at revision 0001 that has been at work: ann holds a blue mug, bob ordered two, cora cancelled a red one.
-- Ids are left out where the database gives them: they count from 1.

INSERT INTO products
    (slug, title, body_html, vendor, type, tags, published, option_names, seo_title, seo_description, search_text)
VALUES
    ('mug', 'Müg', '<p>Holds 0.3 l.</p>', 'Töpferei', 'Mugs', '["new", "clay"]', true, '["Colour"]', '', '', 'mug topferei mugs new clay'),
    ('poster', 'Poster', '', '', '', '[]', false, '[]', '', '', 'poster');

INSERT INTO product_images (product_id, url, alt, position) VALUES (1, 'https://example.org/mug.jpg', 'A blue mug', 1);

INSERT INTO variants
    (product_id, sku, position, option1, option2, option3, price, compare_at_price, inventory_policy, image_url, grams,
     weight_unit, barcode, taxable, requires_shipping)
VALUES
    (1, 'MUG-BLUE', 1, 'Blue', '', '', 10.00, 12.50, 'deny', 'https://example.org/mug.jpg', 300, 'g', '4006381333931', true, true),
    (1, 'MUG-RED', 2, 'Red', '', '', 10.00, NULL, 'continue', NULL, 300, 'g', '', true, true),
    (2, 'POSTER', 1, '', '', '', 0.00, NULL, 'deny', NULL, 0, '', '', false, false);

INSERT INTO stock_fence (id, epoch, run_id) VALUES (1, 7, 'of a server long gone');

INSERT INTO stock_levels
    (sku, location, on_hand, committed, unavailable, shortfall, number, limit_per_shopper, built_epoch)
VALUES
    ('MUG-BLUE', 'main', 10, 2, 1, 0, 2, 3, 1),
    ('MUG-RED', 'main', 5, 0, 0, 0, 2, NULL, 1),
    ('POSTER', 'main', 0, 0, 0, 0, 0, NULL, NULL);

INSERT INTO reservations
    (id, shopper, sku, units, state, created_at_ms, expires_at_ms, ended_at_ms, extensions, cause)
VALUES
    ('00000000-0000-4000-8000-000000000001', 'ann', 'MUG-BLUE', 1, 'active', 1790000000000, 4102444800000, NULL, 1, NULL),
    ('00000000-0000-4000-8000-000000000002', 'bob', 'MUG-BLUE', 2, 'sold', 1790000000000, 1790000600000, 1790000060000, 0, 'order:1'),
    ('00000000-0000-4000-8000-000000000003', 'cora', 'MUG-RED', 1, 'sold', 1790000000000, 1790000600000, 1790000070000, 0, 'order:2'),
    ('00000000-0000-4000-8000-000000000004', 'dan', 'MUG-RED', 2, 'expired', 1790000000000, 1790000600000, 1790000600000, 0, NULL),
    ('00000000-0000-4000-8000-000000000005', 'dan', 'MUG-RED', 1, 'released', 1790000000000, 1790000600000, 1790000090000, 0, NULL);

INSERT INTO orders
    (token, shopper, status, email, name, line1, line2, city, postal_code, region, country, payment, total, currency,
     created_at_ms)
VALUES
    ('token-of-bob', 'bob', 'placed', 'bob@example.org', 'Bob', 'Hill Street 1', '', 'Ulm', '89073', '', 'DE', 'on invoice', 20.00, 'EUR', 1790000060000),
    ('token-of-cora', 'cora', 'cancelled', 'cora@example.org', 'Cora', 'Hill Street 2', '2nd floor', 'Ulm', '89073', '', 'DE', 'on invoice', 10.00, 'EUR', 1790000070000);

INSERT INTO order_lines (order_id, line, sku, title, variant_title, quantity, price, tax, currency)
VALUES
    (1, 1, 'MUG-BLUE', 'Müg', 'Blue', 2, 10.00, 3.19, 'EUR'),
    (2, 1, 'MUG-RED', 'Müg', 'Red', 1, 10.00, 1.60, 'EUR');

INSERT INTO stock_movements
    (sku, location, kind, number, on_hand, committed, unavailable, reason, cause, shopper, created_at_ms)
VALUES
    ('MUG-BLUE', 'main', 'received', 1, 10, 0, 0, 'first import', 'catalog import', '', 1789999000000),
    ('MUG-RED', 'main', 'received', 1, 5, 0, 0, 'first import', 'catalog import', '', 1789999000000),
    ('MUG-BLUE', 'main', 'adjusted', 2, 0, 0, 1, 'broken', 'ops', '', 1789999900000),
    ('MUG-BLUE', 'main', 'committed', NULL, 0, 2, 0, 'order placed', 'order:1', 'bob', 1790000060000),
    ('MUG-RED', 'main', 'committed', NULL, 0, 1, 0, 'order placed', 'order:2', 'cora', 1790000070000),
    ('MUG-RED', 'main', 'cancelled', 2, 0, -1, 0, 'order cancelled', 'order:2', 'cora', 1790000080000);

INSERT INTO erp_buffer (order_id, version, kind, state, created_at_ms)
VALUES
    (1, 1, 'placed', 'waiting', 1790000060000),
    (2, 1, 'placed', 'waiting', 1790000070000),
    (2, 2, 'cancelled', 'waiting', 1790000080000);

INSERT INTO idempotency_keys (shopper, key, body_hash, status, answer, created_at_ms)
VALUES ('bob', 'key-1', 'e3b0c442', 201, '{"token": "token-of-bob"}', 1790000060000);
