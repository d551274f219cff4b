-- What the inputs of each day's functions cost, by origin; paid once, whenever it was.
CREATE TABLE cost AS
SELECT *
FROM found_cost
