-- How hard the samples of the newest version are for the models that were evaluated on it; empty before the first.
CREATE TABLE difficulty AS
SELECT *
FROM found_difficulty
