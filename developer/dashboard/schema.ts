// What Grafana says that a dashboard may hold, as JSON: the types of
// @grafana/schema, with those of the options of each kind of panel.

import type { Dashboard, DataQuery, FieldConfig, Panel, RowPanel } from "@grafana/schema";
import type * as stat from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts";
import type * as timeline from "@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen.d.ts";
import type * as timeseries from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts";

/** The same as JSON: an enum is one of its values. */
type Json<T> = T extends string
  ? `${T}`
  : T extends number | boolean | null | undefined
    ? T
    : T extends (infer Item)[]
      ? Json<Item>[]
      : T extends object
        ? { [Key in keyof T]: Json<T[Key]> }
        : T;

/** A query of Prometheus. Its type is not in the package. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  legendFormat?: string;
  editorMode?: "code" | "builder";
  range?: boolean;
  instant?: boolean;
}

interface Drawn<Type extends string, Options, Custom>
  extends Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> {
  type: Type;
  title: string;
  description: string;
  options: Options;
  targets: PrometheusQuery[];
  fieldConfig: {
    defaults: Omit<FieldConfig, "custom"> & { custom?: Custom };
    overrides: [];
  };
}

type AnyPanel =
  | Drawn<"stat", stat.Options, never>
  | Drawn<"timeseries", timeseries.Options, timeseries.FieldConfig>
  | Drawn<"state-timeline", timeline.Options, timeline.FieldConfig>
  | RowPanel;

/** What Prometheus' annotations have beside those of every source. */
interface Annotation {
  name: string;
  datasource: { type: "prometheus"; uid: string };
  enable: boolean;
  hide: boolean;
  iconColor: string;
  target: PrometheusQuery;
  titleFormat: string;
}

interface Checked extends Omit<Dashboard, "panels" | "annotations"> {
  panels: AnyPanel[];
  annotations: { list: Annotation[] };
}

export type CheckedDashboard = Json<Checked>;
