-- RUN SCRIPT: run the statements of a file
--
--   RUN SCRIPT 'file';
--   @file
--
-- see docs/configuration.md#command-line

RUN SCRIPT 'queries/help/select.sql';
@queries/help/window-functions.sql;
